import { cp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { closeIndex, indexEntries, openIndex } from "../../native/index.js";
import { FAULT_POINTS } from "../../src/fault/points.ts";
import type { DataType } from "../../src/model.ts";
import { type Delivered, sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { deadwax, reportOf, type TypeReport } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { assertSound, readMarker } from "../system/support/marker.ts";
import { seeded } from "../system/support/random.ts";
import { cases, FULL, figure, timeoutMs } from "../system/support/scale.ts";
import { expectChanges, expectSame } from "./expect-changes.ts";
import { type ChangeStream, countsOf, expectedChanges, idOf, replay } from "./oracle.ts";
import { A, B, C, Scene } from "./scene.ts";
import { type Strike, struck, undisturbed, type Victim } from "./strikes.ts";

const TYPES = ["labels", "releases"] as const;
const SIZES = FULL ? { labels: 10_000, releases: 4_000 } : { labels: 1_500, releases: 500 };
const KILLS = cases(2, 50);
/** Passages of each point that are struck; the first of them always. */
const PASSAGES = cases(1, 3);
const PASSAGE_MAX = 6;
const INTERVAL = 60;
const CHUNK_BYTES = 8 * 1024;
const BATCH = 10;
const WINDOW = 40;
/** Of a record at least, so that a piece holds no more than this many. */
const RECORD_BYTES = 150;
/** A checkpoint is offered behind a piece, each half of an interval is rounded up by one, and one more is being made ready. */
const LOST_MAX = INTERVAL + 3 * Math.ceil(CHUNK_BYTES / RECORD_BYTES);
/** Tombstones are made durable together. */
const TOMBSTONES_TOGETHER = 1000;
const POINTS = FAULT_POINTS.filter((point) => !/^(download|metadata|portion|state|version)-/.test(point));

const random = seeded("change-kills");
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.create(SIZES, random.seed);
  await scene.next(B, "created=2%,updated=8%,deleted=0.8%,reordered=1%,bytes=5%,duplicates=4,revised=4", { seed: random.seed });
  for (const version of [A, B]) await scene.full("labels", version);
}, 300_000);
afterAll(() => scene[Symbol.asyncDispose]());

/** A run of a month into a sink, with the state of a place. */
function victim(name: string, version: string, sink: string, from = scene.place()): Victim {
  const state = join(scene.place(name), "state");
  const flags = { "checkpoint-records": INTERVAL, chunk: CHUNK_BYTES, "batch-size": BATCH, threads: 2, state, sink, mode: "incremental", output: "json" };
  const options = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  return { args: [...TYPES.map((type) => dumpPath(from, type, version)), ...options, "-q"], state };
}

/** Delivers month A and keeps the state behind it, to go on from again and again. */
async function baseline(name: string, sink: string): Promise<void> {
  const { args, state } = victim(name, A, sink);
  await mkdir(state, { recursive: true });
  const { code, stderr } = await deadwax(["extract", ...args]);
  expect([code, stderr]).toEqual([0, ""]);
  await cp(state, `${state}-A`, { recursive: true });
}

async function backToA(name: string): Promise<void> {
  const state = join(scene.place(name), "state");
  await rm(state, { recursive: true });
  await cp(`${state}-A`, state, { recursive: true });
  await rm(join(scene.place(name), "out", B), { recursive: true, force: true });
}

/** Every entry of the last good generations. */
async function indexOf(name: string): Promise<Record<string, unknown>> {
  const folder = join(scene.place(name), "state", ".deadwax_index");
  const [own = ""] = await readdir(folder);
  const { types } = JSON.parse(await readFile(join(folder, own, "CURRENT.json"), "utf8"));
  const entries = TYPES.map((type) => {
    const handle = openIndex(join(folder, own, types[type].file));
    const { next: _, ...all } = indexEntries(handle, 0, 2 * SIZES[type]);
    closeIndex(handle);
    return [type, { ...all, number: types[type].number, changes: types[type].changes }];
  });
  return Object.fromEntries(entries);
}

/** All strikes that are to come: the points round by round in the order of a run, so that one delivery takes many, and then any moment. */
function strikes(events: number, points: readonly (typeof POINTS)[number][]): Strike[] {
  const rounds = Array.from({ length: PASSAGES }, (_, round) =>
    points.map((point): Strike => ({ point, passage: round === 0 ? 1 : random.between(1, PASSAGE_MAX) })),
  );
  return [...rounds.flat(), ...Array.from({ length: KILLS }, (): Strike => ({ events: random.between(1, events) }))];
}

/** Strikes delivery after delivery until every strike has hit; `onStruck` looks at what each has left, `onDone` at the end of a delivery. */
async function strikeAll(name: string, run: Victim, all: readonly Strike[], onStruck: () => Promise<void>, onDone: (kills: number) => Promise<void>) {
  const left = [...all];
  const counted = { kills: 0, deliveries: 0, late: 0 };
  while (left.length > 0) {
    await backToA(name);
    const before = counted.kills;
    const late: Strike[] = [];
    for (let strike = left.shift(); strike !== undefined; strike = left.shift()) {
      if ((await struck(run, strike, random)) === null) {
        late.push("events" in strike ? { events: Math.max(1, Math.floor(strike.events / 2)) } : { ...strike, passage: 1 });
        break;
      }
      counted.kills += 1;
      if (FULL) await assertSound(run.state);
      await onStruck();
    }
    counted.late += late.length;
    left.unshift(...late);
    counted.deliveries += 1;
    await onDone(counted.kills - before);
    if (counted.deliveries > all.length + 10) throw new Error(`these do not strike: ${JSON.stringify(left)}`);
  }
  return counted;
}

/** The run that nothing disturbs any more: its report is exact, whatever came before. */
async function lastRun(run: Victim): Promise<Readonly<Record<string, TypeReport>>> {
  const ended = await deadwax(["extract", ...run.args]);
  expect([ended.code, ended.stderr]).toEqual([0, ""]);
  const { types, complete } = reportOf(ended);
  expect(complete).toBe(true);
  return types;
}

describe("into files", () => {
  test(`${KILLS} random kills, and each durable step: both streams are those of the oracle`, { timeout: timeoutMs(300_000, 3_600_000) }, async () => {
    const name = "files";
    const sink = `file:${join(scene.place(name), "out")}`;
    await baseline(name, sink);
    const run = victim(name, B, sink);
    const reference = await undisturbed(run);
    const index = await indexOf(name);
    const points = POINTS.filter((point) => point !== "message-confirmed");
    let worst = 0;
    const onStruck = async () => {
      for (const type of TYPES) worst = Math.max(worst, await linesBeyond(name, type));
    };
    const counted = await strikeAll(name, run, strikes(reference.events, points), onStruck, async () => {
      const types = await lastRun(run);
      for (const type of TYPES) {
        const [before, after] = [await scene.full(type, A), await scene.full(type, B)];
        expectChanges(type, { before: before.last, after, report: types[type] as never, stream: await scene.stream(name, type, B) });
      }
      await assertSound(run.state);
      expect(await indexOf(name)).toEqual(index);
      expect((await readdir(join(scene.place(name), "out", B))).sort()).toEqual(TYPES.flatMap((type) => [`${type}.deleted.ndjson`, `${type}.ndjson`]).sort());
    });
    figure("change kills into files", { seed: random.seed, ...counted, eventsOfARun: reference.events, worstLinesBeyondCheckpoint: worst, bound: LOST_MAX });
    expect(worst).toBeLessThanOrEqual(LOST_MAX);
  });
});

/** Changed records in the output behind what the last checkpoint vouches for. */
async function linesBeyond(name: string, type: DataType): Promise<number> {
  const path = join(scene.place(name), "out", B, `${type}.ndjson.partial`);
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  const { deadwax: own } = await readMarker(join(scene.place(name), "state"), B).catch(() => ({ deadwax: { active: null, runs: {} } }) as never);
  const checkpoint = own.active === null ? null : (own.runs[own.active]?.files[`discogs_${B}_${type}.xml.gz`]?.checkpoint ?? null);
  const from = Number(checkpoint?.sink["bytes"] ?? 0);
  return bytes.subarray(from).filter((byte) => byte === 10).length;
}

describe("into RabbitMQ", () => {
  test(`${KILLS} random kills, and each durable step: what came, replayed, is the month`, { timeout: timeoutMs(300_000, 3_600_000) }, async () => {
    await using host = await VirtualHost.create(await sharedBroker());
    const name = "rabbitmq";
    const sink = host.url({ window_messages: WINDOW });
    await baseline(name, sink);
    const run = victim(name, B, sink);
    const queue = await listen(host);
    const reference = await undisturbed(run);
    const index = await indexOf(name);
    const all = messagesOf(await host.drain(queue));
    const points = FULL ? POINTS : POINTS.filter((point) => /^(message|sink|file|tombstones)-/.test(point));
    let worst = 0;
    const counted = await strikeAll(
      name,
      run,
      strikes(reference.events, points),
      async () => {},
      async (kills) => {
        const types = await lastRun(run);
        const messages = messagesOf(await host.drain(queue));
        for (const type of TYPES) {
          const [before, after] = [await scene.full(type, A), await scene.full(type, B)];
          const { counts, ...stream } = messages[type];
          const expected = expectedChanges(before.last, after.last);
          expect(types[type]).toMatchObject({ ...countsOf(expected), repeated: after.bodies.length - after.last.size, pending: 0 });
          expectSame(type, replay(before.last, stream), after.last);
          // Nobody is told of what has not changed, however often it was killed.
          const changed = new Set([...expected.created, ...expected.updated, ...after.repeated]);
          expect(stream.records.map(idOf).filter((id) => !changed.has(id))).toEqual([]);
          // The same messages as without a kill, some of them again.
          expect([...counts.keys()].sort()).toEqual([...all[type].counts.keys()].sort());
          const again = (part: RegExp) => [...counts].filter(([id]) => part.test(id)).reduce((sum, [, count]) => sum + count - 1, 0);
          const records = again(/\/\d+$/);
          worst = Math.max(worst, kills === 0 ? 0 : records / kills);
          expect(records).toBeLessThanOrEqual(kills * (LOST_MAX + WINDOW));
          expect(again(/\/change$/)).toBeLessThanOrEqual(kills * (LOST_MAX + WINDOW));
          expect(again(/\/deleted$/)).toBeLessThanOrEqual(kills * TOMBSTONES_TOGETHER);
        }
        expect(await indexOf(name)).toEqual(index);
      },
    );
    figure("change kills into RabbitMQ", {
      seed: random.seed,
      ...counted,
      eventsOfARun: reference.events,
      worstRepeatedAKill: worst,
      bound: LOST_MAX + WINDOW,
    });
  });
});

test("a month that was killed again and again and never came to its end, and then the next: nothing of it stays", async () => {
  await using host = await VirtualHost.create(await sharedBroker());
  const name = "never-ended";
  const sink = host.url({ window_messages: WINDOW });
  await baseline(name, sink);
  const queue = await listen(host);
  // The next month is month A again, so that all that B has changed is to be taken back.
  const from = scene.place("again");
  await mkdir(from);
  for (const type of TYPES) await cp(dumpPath(scene.place(), type, A), dumpPath(from, type, C));
  // The later the first is killed and the earlier those behind it, the more has been delivered that only the first has known of.
  let last = random.between(3, 6);
  for (; (await struck(victim(name, B, sink), { point: "sink-synced", passage: last }, random)) === null; last -= 1) {
    // A busy machine makes fewer checkpoints, and the month came to its end before that one: as if it had not been.
    expect(last).toBeGreaterThan(1);
    await backToA(name);
    await host.drain(queue);
  }
  for (let kill = 0; kill < 2; kill += 1) {
    const ended = await struck(victim(name, B, sink), { point: "sink-synced", passage: 1 }, random);
    expect([kill, ended?.signal]).toEqual([kill, "SIGKILL"]);
  }
  expect(await host.depth(queue)).toBeGreaterThan(0);
  const ended = await deadwax(["extract", ...victim(name, C, sink, from).args, "--allow-deletes"]);
  expect(ended.code, ended.stderr).toBe(0);
  const { types } = reportOf(ended);
  const messages = messagesOf(await host.drain(queue));
  for (const type of TYPES) {
    const whole = (await scene.full(type, A)).last;
    expect(types[type]).toMatchObject({ pending: 0, rejected: 0 });
    expectSame(type, replay(whole, messages[type]), whole);
  }
});

/** A queue that gets all that is published. */
async function listen(host: VirtualHost): Promise<string> {
  const channel = await host.channel();
  await channel.queueDeclare({ queue: "all", durable: true });
  await channel.queueBind({ queue: "all", exchange: "discogsography-exchange", routingKey: "#" });
  return "all";
}

type Messages = ChangeStream & { readonly records: string[]; readonly deleted: string[]; readonly counts: Map<string, number> };

/** What came of each data type, in its order; tombstones as the file sink writes them, and how often each message came. */
function messagesOf(delivered: readonly Delivered[]): Record<(typeof TYPES)[number], Messages> {
  const empty = (): Messages => ({ records: [], deleted: [], counts: new Map() });
  const messages = { labels: empty(), releases: empty() };
  for (const { body, messageId = "", routingKey, headers } of delivered) {
    const [type, kind] = routingKey.split(".") as [(typeof TYPES)[number], string | undefined];
    const own = messages[type];
    own.counts.set(messageId, (own.counts.get(messageId) ?? 0) + 1);
    const text = body.toString();
    const message = JSON.parse(text) as { type?: string; change_type?: string };
    if (kind === undefined && message.type === "data") own.records.push(text);
    if (message.change_type === "deleted") own.deleted.push(JSON.stringify({ ...message, hash: headers?.["x-deadwax-hash"] }));
  }
  return messages;
}
