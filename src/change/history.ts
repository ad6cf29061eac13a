/** `history.ndjson`: what each run has found of each data type, for whoever wants to see trends; nothing is decided by it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { replaceDurably } from "../durable.ts";
import { DumpError, systemCode } from "../errors.ts";
import { DATA_TYPES } from "../model.ts";

/** Lines that are kept, the newest: four a month make twenty years. */
export const HISTORY_LINES_MAX = 1000;
export const HISTORY_NAME = "history.ndjson";

const count = z.int().nonnegative();
const line = z.object({
  version: z.string(),
  run: z.uuid(),
  dataType: z.enum(DATA_TYPES),
  /** When the run had read the file, ISO in UTC. */
  at: z.iso.datetime(),
  created: count,
  updated: count,
  deleted: count,
  unchanged: count,
  repeated: count,
  /** Records that are gone and whose deletion was not sent. */
  pending: count,
});
/** What one run has found of one data type, by ids. */
export type HistoryLine = z.infer<typeof line>;

/** What is remembered of the runs into the folder of an index, oldest first; a line that cannot be read is left out. */
export async function readHistory(folder: string): Promise<HistoryLine[]> {
  const text = await readFile(join(folder, HISTORY_NAME), "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return "";
    throw unusable(folder, "read", error);
  });
  return text.split("\n").flatMap((given) => parsed(given) ?? []);
}

/** Remembers what runs have found; a run that comes to its end once more after a crash replaces what it said before. */
export async function addHistory(folder: string, lines: readonly HistoryLine[]): Promise<void> {
  const isReplaced = (old: HistoryLine) => lines.some(({ run, dataType }) => run === old.run && dataType === old.dataType);
  const kept = [...(await readHistory(folder)).filter((old) => !isReplaced(old)), ...lines].slice(-HISTORY_LINES_MAX);
  const text = kept.map((one) => `${JSON.stringify(one)}\n`).join("");
  await replaceDurably(join(folder, HISTORY_NAME), text).catch((error: unknown) => {
    throw unusable(folder, "written", error);
  });
}

function parsed(text: string): HistoryLine | null {
  try {
    return line.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

function unusable(folder: string, what: string, cause: unknown): DumpError {
  return new DumpError(
    "STATE_UNWRITABLE",
    `${join(folder, HISTORY_NAME)} cannot be ${what} (${systemCode(cause) ?? "unknown"}); look at the folder and its disk`,
    {
      cause,
    },
  );
}
