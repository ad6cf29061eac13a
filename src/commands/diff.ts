import type { Flags } from "../config.ts";
import type { Comparison } from "../discogs/compare.ts";
import type { Dump } from "../discogs/dump.ts";
import type { PatchStep } from "../discogs/json-patch.ts";
import { DumpError } from "../errors.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { dataTypeOf, openLook } from "./look.ts";

const VALUE_CHARS_MAX = 200;

/** `deadwax diff`: what has become of a record from one version to another, for people or as RFC 6902. */
export async function runDiff(type: string, id: string, [a, b]: readonly [string, string], flags: Flags, context: CommandContext): Promise<number> {
  const dataType = dataTypeOf(type);
  using look = await openLook(flags, context);
  const { compareRecord, patchOf } = await application();
  await using from = await look.open(a, dataType, null);
  await using to = await look.open(b, dataType, null);
  const comparison = await compareRecord(id, from, to);
  if (comparison === null) throw new DumpError("RECORD_NOT_FOUND", `neither ${from.path} nor ${to.path} has a record ${id} with a message`);
  const report = { data_type: dataType, record_id: id, change_type: comparison.change, from: placeOf(from), to: placeOf(to), patch: patchOf(comparison.steps) };
  context.stdout.write(look.config.output === "json" ? `${JSON.stringify(report)}\n` : render(id, comparison, from, to));
  return EXIT_CODES.done.exit;
}

/** Loaded late, like the dumps. (The compiler leaves the endings of such imports alone in a function with `using`.) */
async function application() {
  return { ...(await import("../discogs/compare.ts")), ...(await import("../discogs/json-patch.ts")) };
}

function placeOf({ version, path }: Dump) {
  return { version, path };
}

function render(id: string, { change, steps }: Comparison, from: Dump, to: Dump): string {
  const what = {
    created: `created: only ${to.version} (${to.path}) has it`,
    deleted: `deleted: only ${from.version} (${from.path}) has it`,
    updated: `updated from ${from.version} to ${to.version}: ${steps.length} ${steps.length === 1 ? "change" : "changes"}`,
    unchanged: `the same in ${from.version} and ${to.version}`,
  }[change];
  const lines = change === "updated" ? steps.map(renderStep) : [];
  return [`${from.dataType} ${id}: ${what}`, ...lines, ""].join("\n");
}

function renderStep(step: PatchStep): string {
  switch (step.op) {
    case "add":
      return `+ ${shown(step.path)}: ${json(step.value)}`;
    case "remove":
      return `- ${shown(step.path)}: ${json(step.before)}`;
    case "replace":
      return `~ ${shown(step.path)}: ${json(step.before)} → ${json(step.value)}`;
  }
  return step satisfies never;
}

function json(value: unknown): string {
  const text = shown(JSON.stringify(value));
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
}

/** What a terminal would obey is written out. */
function shown(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
