import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Checkpoint } from "../../../src/model.ts";
import { Running } from "./deadwax.ts";
import { VERSION } from "./dumps.ts";
import { assertSound, fileState, untilSaved } from "./marker.ts";
import { freeze, readPosition } from "./procfs.ts";
import type { Random } from "./random.ts";

/** One run to be killed. */
export interface Victim {
  readonly args: readonly string[];
  readonly state: string;
  readonly out: string;
  /** Base name of the dump, and of the output without `.partial`. */
  readonly file: string;
  readonly output: string;
  /** Records of the dump, and records from one checkpoint to the next at least. */
  readonly records: number;
  readonly interval: number;
}

/** A process that was killed, and what it left. */
export interface Kill {
  /** Null if it had saved none. */
  readonly checkpoint: Checkpoint | null;
  /** Compressed bytes it had read beyond the checkpoint. */
  readonly compressedBeyond: number;
  /** Size of the unfinished output. */
  readonly partialBytes: number;
}

/** Saves of the marker before the first checkpoint of a run. */
const SAVES_BEFORE = 4;
/** A checkpoint takes some tens of milliseconds, so this lands anywhere between two. */
const DELAY_MS_MAX = 60;

/** Starts a run and kills it with SIGKILL at a random moment after a save of the marker; null if it was done before. */
export async function killRun({ args, state, out, file, output, records, interval }: Victim, from: Checkpoint | null, random: Random): Promise<Kill | null> {
  const left = Math.ceil((records - (from?.ordinal ?? 0)) / interval);
  const running = new Running(["extract", ...args, "--output", "json", "-q"]);
  await untilSaved(running, state, SAVES_BEFORE + random.between(1, Math.max(2, left)));
  await Promise.race([sleep(random.between(0, DELAY_MS_MAX)), running.ended]);
  if (!running.isRunning) return null;
  await freeze(running.pid); // what is measured now is what the kill leaves
  const position = await readPosition(running.pid, file);
  running.kill("SIGKILL");
  const { signal } = await running.ended;
  if (signal !== "SIGKILL") return null;
  await assertSound(state);
  const known = await fileState(state, file);
  if (known?.status === "completed") return null;
  const checkpoint = known?.checkpoint ?? null;
  const partial = await stat(join(out, VERSION, `${output}.partial`)).catch(() => null);
  const compressedBeyond = position === null ? 0 : position - (checkpoint?.resume.compressedOffset ?? 0);
  return { checkpoint, compressedBeyond, partialBytes: partial?.size ?? 0 };
}
