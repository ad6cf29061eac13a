import { describe, expect, test } from "vitest";
import { openSink } from "../../src/sink/index.ts";
import { auditedDatabase, writes } from "../postgres/scene.ts";
import { figure } from "../system/support/scale.ts";
import { NEVER, TARGET } from "./batches.ts";
import { idsOf, load, range } from "./postgres-loads.ts";
import { RecordedEvents } from "./sink-events.ts";

describe("what vanished from a version", () => {
  const counts = (artists: number) => ({ artists, labels: 0, masters: 0, releases: 0 });
  const announce = async (url: string, version: string, artists: number): Promise<readonly string[]> => {
    const events = new RecordedEvents();
    await using sink = openSink(url, events);
    await sink.announce({ version, contract: "topic", startedAt: "2026-08-01T00:00:00Z", recordCounts: counts(artists) }, NEVER);
    return events.notes.filter((note) => note.includes("artists"));
  };

  test("goes with purge=on, exactly that, and no other row is touched", async () => {
    await using database = await auditedDatabase();
    const url = database.with({ purge: "on" });
    await load(url, range(0, 20_000));
    await database.query("INSERT INTO artists (data_id, hash, data) VALUES ('not-a-number', 'h', '{}')");
    await load(
      url,
      range(0, 20_000).filter((id) => id % 200 !== 3),
      "20260901",
    );
    const before = await database.query("SELECT data_id, xmin FROM artists WHERE data_id ~ '^[0-9]+$' AND data_id::integer % 200 <> 3 ORDER BY data_id");
    expect(await announce(url, "20260901", 19_900)).toEqual(["artists: deleted 101 rows that version 20260901 no longer has"]);
    expect(await database.query("SELECT data_id, xmin FROM artists ORDER BY data_id")).toEqual(before);
    expect(await idsOf(database)).toEqual(range(0, 20_000).filter((id) => id % 200 !== 3));
    expect(await database.query("SELECT * FROM deadwax_seen UNION ALL SELECT version, data_type, NULL, NULL FROM deadwax_seen_other")).toEqual([]);
    figure("purge", await writes(database));
  });

  test.each([
    ["above the limit", range(0, 9_800), 9_800, "more than the share of 0.01"],
    ["with another count", range(0, 9_950), 9_951, "9950 different ids were seen, and the version is said to have 9951 records"],
    ["without any record", range(0, 9_950), 0, "said to have no records"],
  ])("stays %s", async (_name, left, count, reason) => {
    await using database = await auditedDatabase();
    const url = database.with({ purge: "on" });
    await load(url, range(0, 10_000));
    await load(url, left, "20260901");
    expect((await announce(url, "20260901", count)).join()).toContain(reason);
    expect(await idsOf(database)).toEqual(range(0, 10_000));
  });

  test("stays where the version was loaded once more without purge=on: what was seen before is not known of it", async () => {
    await using database = await auditedDatabase();
    const url = database.with({ purge: "on" });
    await load(url, range(0, 200));
    await load(database.url, range(1, 201)); // published again, with other records
    expect((await announce(url, TARGET.version, 200)).join()).toContain("0 different ids were seen");
    expect(await idsOf(database)).toEqual(range(0, 201));
  });

  test("fails the run, with what to do, where somebody's constraint keeps it", async () => {
    await using database = await auditedDatabase();
    const url = database.with({ purge: "on" });
    await load(url, range(0, 200));
    await load(url, range(1, 200), "20260901");
    await database.query("CREATE TABLE somebodys AS SELECT data_id FROM artists; ALTER TABLE somebodys ADD FOREIGN KEY (data_id) REFERENCES artists");
    const failure = await announce(url, "20260901", 199).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringMatching(/artists cannot be purged: .*23503.*correct or drop/) });
  });

  test("stays without purge=on", async () => {
    await using database = await auditedDatabase();
    await load(database.url, range(0, 200));
    await load(database.url, range(0, 199), "20260901");
    expect(await announce(database.url, "20260901", 199)).toEqual([]);
    expect((await idsOf(database)).length).toBe(200);
  });
});
