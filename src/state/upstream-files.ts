/** `.processing_state.json`, which upstream's first two extractors wrote before there were state markers. Read, never written. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { systemCode } from "../errors.ts";

const STATE_NAME = ".processing_state.json";
const STATE_BYTES_MAX = 4 * 2 ** 20;

/**
 * One dialect is `{"files": {<name>: true}}`, the other `{<name>: true}`; a root that saw both has both in one file. What is not `true`
 * is to be processed.
 */
const stateSchema = z
  .record(z.string(), z.unknown())
  .transform(({ files, ...flat }) => ({ flat, files: z.record(z.string(), z.unknown()).parse(files ?? {}) }));

/** Names of the dumps in `root` that upstream has finished. A file that cannot be read means none, with a warning: they are published once more. */
export async function readProcessingState(root: string, onWarning: (text: string) => void): Promise<ReadonlySet<string>> {
  const path = join(root, STATE_NAME);
  try {
    const { flat, files } = stateSchema.parse(JSON.parse(await readBounded(path)));
    return new Set([flat, files].flatMap((names) => Object.keys(names).filter((name) => names[name] === true)));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return new Set();
    const why = systemCode(error) ?? (error instanceof RangeError ? error.message : "it is no JSON of file names");
    onWarning(`${path} cannot be used (${why}); no dump counts as finished by it`);
    return new Set();
  }
}

async function readBounded(path: string): Promise<string> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  if (size > STATE_BYTES_MAX) throw new RangeError(`it is larger than ${STATE_BYTES_MAX} bytes`);
  return await file.readFile("utf8"); // awaited here, before the file is closed
}
