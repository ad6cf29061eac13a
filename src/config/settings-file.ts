import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { systemCode } from "../errors.ts";
import { ACCEPTED_AND_IGNORED } from "./ignored.ts";
import type { FileValue } from "./resolve.ts";
import type { ServeKey } from "./serve-options.ts";

/** Keys of upstream's settings file, and the settings that they are. */
export const FILE_KEYS = {
  amqp_connection: "amqpConnection",
  discogs_root: "root",
  periodic_check_days: "periodicCheckDays",
  health_port: "healthPort",
  max_workers: "threads",
} as const satisfies Record<string, ServeKey>;

/** What a settings file says. */
export interface SettingsFile {
  readonly values: { readonly [K in ServeKey]?: FileValue };
  /** Keys that are there and change nothing. */
  readonly ignored: readonly string[];
  readonly problems: readonly string[];
}

const EMPTY: SettingsFile = { values: {}, ignored: [], problems: [] };

/** Reads a settings file; one that nobody has named may be missing. No value is ever part of a problem: one of them is a password. */
export function readSettingsFile(path: string, isNamed: boolean): SettingsFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" && !isNamed) return EMPTY;
    const why = code === "ENOENT" ? "there is no such file; correct --config or RUST_EXTRACTOR_CONFIG" : `cannot be read (${code}); make it a readable file`;
    return { ...EMPTY, problems: [`${path}: ${why}`] };
  }
  try {
    return readSettings(path, parse(text, { integersAsBigInt: true }));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ""] = error.message.replace(/^Invalid TOML document: /, "").split("\n"); // what follows is the line itself
    return { ...EMPTY, problems: [`${path}:${error.line}:${error.column}: ${what}; see https://toml.io`] };
  }
}

function readSettings(path: string, table: Readonly<Record<string, unknown>>): SettingsFile {
  const values: { [K in ServeKey]?: FileValue } = {};
  const ignored: string[] = [];
  const problems: string[] = [];
  for (const [key, value] of Object.entries(table)) {
    if (ACCEPTED_AND_IGNORED.some((entry) => entry.key === key)) ignored.push(key);
    else if (!isFileKey(key)) problems.push(`${path}: ${key}: there is no such key`);
    else if (typeof value !== "string" && typeof value !== "bigint") problems.push(`${path}: ${key}: give a text or a whole number`);
    else values[FILE_KEYS[key]] = { text: String(value), name: `${path}: ${key}` };
  }
  return { values, ignored, problems };
}

function isFileKey(key: string): key is keyof typeof FILE_KEYS {
  return Object.hasOwn(FILE_KEYS, key);
}
