import { describe, expect, test } from "vitest";
import { CHANGE_TYPES, CONTRACTS, type Contract } from "../../src/model.ts";
import { openSink } from "../../src/sink/index.ts";
import { writes } from "../postgres/scene.ts";
import { batchOf, bodyOf, END, NEVER, TARGET, tombstoneOf } from "../sink/batches.ts";
import { idsOf, range } from "../sink/postgres-loads.ts";
import { until } from "../sink/sink-events.ts";
import { TableScene } from "../table/scene.ts";
import { UpstreamConsumer } from "./upstream-consumer.ts";

const RUN_ID = "2f1e5a3c-0000-4000-8000-000000000001";

const scene = TableScene.ofFile();

/** Another record with the id of an ordinal. */
const updatedBody = (ordinal: number) => bodyOf(ordinal + 1000).replace(`"id":"${ordinal + 1000}"`, `"id":"${ordinal}"`);

/** What an incremental run publishes of one type: changed records, its end, tombstones; and no extraction_complete. */
async function publishRun(contract: Contract, version: string, bodies: readonly string[], gone: readonly number[], isBaseline: boolean): Promise<void> {
  await using sink = openSink(scene.host.url());
  const target = { ...TARGET, contract, version };
  await using records = await sink.open(target, null, NEVER);
  const kinds = new Uint8Array(bodies.length).fill(CHANGE_TYPES.indexOf(isBaseline ? "created" : "updated"));
  await records.write({ ...batchOf(bodies), contract, version, changes: { run: { id: RUN_ID, isBaseline }, kinds } }, NEVER);
  await records.finish({ file: `discogs_${version}_artists.xml.gz`, records: 10, complete: true }, NEVER);
  await using tombstones = await sink.open({ ...target, stream: "deletions" }, null, NEVER);
  await tombstones.write({ ...batchOf(gone.map(tombstoneOf)), contract, version }, NEVER);
  await tombstones.finish(END, NEVER);
}

describe.each(CONTRACTS)("behind incremental runs, %s", (contract) => {
  test("upstream's table writer gets records that have changed, sees no tombstone and purges nothing; ours deletes what is gone", async () => {
    await using upstream = await UpstreamConsumer.start(scene.host.url(), contract);
    const first = range(0, 10).map((ordinal) => bodyOf(ordinal));
    await publishRun(contract, "20260701", first, [], true);
    await upstream.drained();
    expect([upstream.writes, upstream.tables.get("artists")?.size]).toEqual([10, 10]);
    await publishRun(contract, "20260801", [updatedBody(3)], [7, 8], false);
    await upstream.drained();
    expect([upstream.writes, upstream.deliveries.size]).toEqual([11, 11]); // one message more, not ten
    expect(upstream.tables.get("artists")?.get("3")).toBe(JSON.parse(updatedBody(3)).sha256);
    // What is gone stays, and nothing tells it otherwise.
    expect([upstream.tables.get("artists")?.size, upstream.purged.get("artists"), upstream.vetoes, upstream.deadLetters]).toEqual([10, [], [], []]);
    expect(upstream.controls.map(({ type, from }) => [type, from])).toEqual([
      ["file_complete", "artists"],
      ["file_complete", "artists"],
    ]);
  });

  test("our table writer applies both", { timeout: 60_000 }, async () => {
    await using writer = await scene.startForChanges(contract);
    await publishRun(
      contract,
      "20260701",
      range(0, 10).map((ordinal) => bodyOf(ordinal)),
      [],
      true,
    );
    await publishRun(contract, "20260801", [updatedBody(3)], [7, 8], false);
    await until(async () => (await idsOf(scene.database)).length === 8 && (await writes(scene.database))["UPDATE"] === 1);
    expect(await idsOf(scene.database)).toEqual([0, 1, 2, 3, 4, 5, 6, 9]);
    expect(await writes(scene.database)).toEqual({ INSERT: 10, UPDATE: 1, DELETE: 2 });
    expect(await scene.database.query("SELECT hash FROM artists WHERE data_id = '3'")).toEqual([{ hash: JSON.parse(updatedBody(3)).sha256 }]);
    expect(await writer.stop()).toBe(0);
  });
});
