import { openSink } from "../../src/sink/index.ts";
import type { Database } from "../services/database.ts";
import { batchOf, bodyOf, END, NEVER, TARGET } from "./batches.ts";
import { RecordedEvents } from "./sink-events.ts";

/** Loads ordinals into a target of a database and finishes it. */
export async function load(url: string, ordinals: readonly number[], version = TARGET.version, events = new RecordedEvents()): Promise<RecordedEvents> {
  await using sink = openSink(url, events);
  await using writer = await sink.open({ ...TARGET, version }, null, NEVER);
  await writer.write(batchOf(ordinals.map((ordinal) => bodyOf(ordinal))), NEVER);
  await writer.finish(END, NEVER);
  return events;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

export async function idsOf(database: Database): Promise<number[]> {
  const rows = await database.query<{ data_id: string }>("SELECT data_id FROM artists");
  return rows.map(({ data_id }) => Number(data_id)).sort((a, b) => a - b);
}
