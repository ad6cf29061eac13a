import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DumpError, systemCode } from "../errors.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { runExtract } from "./extract.ts";
import { resolveGenerate, writeDump } from "./generate.ts";

const FOLDER = "deadwax-demo";
/** Says that the folder is ours to overwrite. */
const TAG = ".deadwax-demo";
const DUMP = { releases: "20000", artists: "20000", masters: "5000", labels: "5000", version: "20260801" };

/** `deadwax demo`: makes a small synthetic dump under the current folder and extracts it; needs no network. */
export async function runDemo(context: CommandContext): Promise<number> {
  const { stderr, stdout } = context;
  await claimFolder();
  const root = join(FOLDER, "dump");
  const records = join(FOLDER, "records");
  stderr.write(`📋 Making a synthetic dump in ${root}\n`);
  await writeDump(resolveGenerate({ ...DUMP, out: root }));
  // Flags, so that a variable set for real runs does not lead the demo elsewhere.
  const flags = { root, sink: `file:${records}`, state: root, contract: "topic", force: true, output: "text", logLevel: "info" };
  const exit = await runExtract([], flags, context);
  if (exit === EXIT_CODES.done.exit) {
    stdout.write(
      `\nThe records are in ${join(records, DUMP.version)}, one JSON object a line:\n  head -n 1 ${join(records, DUMP.version, "releases.ndjson")}\n`,
    );
  }
  return exit;
}

/** Only a folder that is empty or was made by an earlier demo is written into. */
async function claimFolder(): Promise<void> {
  try {
    await mkdir(FOLDER, { recursive: true });
    const names = await readdir(FOLDER);
    if (names.length > 0 && !names.includes(TAG)) {
      throw new DumpError("SINK_UNAVAILABLE", `${FOLDER}: exists and was not made by the demo; move it away or start the demo in another folder`);
    }
    await writeFile(join(FOLDER, TAG), "Made by `deadwax demo`, which overwrites this folder.\n");
  } catch (cause) {
    if (cause instanceof DumpError) throw cause;
    throw new DumpError("SINK_UNAVAILABLE", `${FOLDER}: cannot be written (${systemCode(cause)}); start the demo in a folder you can write to`, { cause });
  }
}
