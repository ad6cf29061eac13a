import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Broker } from "../services/rabbitmq.ts";
import { extract, type Running } from "../system/support/deadwax.ts";
import { dumpPath, VERSION } from "../system/support/dumps.ts";
import { assertSound, fileState, untilSaved } from "../system/support/marker.ts";
import { seeded } from "../system/support/random.ts";
import { cases, FULL, figure, timeoutMs } from "../system/support/scale.ts";
import { Installation } from "./installation.ts";
import { UpstreamConsumer } from "./upstream-consumer.ts";

/** More than 200 MB of XML in a proof. */
const SIZES = FULL ? { releases: 55_000, artists: 3_000, labels: 3_000, masters: 2_000 } : { releases: 6_000, artists: 1_500, labels: 1_500, masters: 500 };
const KILLS = cases(10, 50);
const INTERVAL = FULL ? 5_000 : 500;
const CHUNK_BYTES = FULL ? 2 * 2 ** 20 : 128 * 2 ** 10;
const WINDOW = 2_000;
const TYPES = ["artists", "labels", "masters", "releases"] as const;
/** Files that are in progress at once. */
const THREADS = 2;
/** Saves of the marker before the first checkpoint of a run. */
const SAVES_BEFORE = 12;
const SAVES_SPREAD = 25;
const DELAY_MS_MAX = 80;

const random = seeded("crashloop");
let broker: Broker;
beforeAll(async () => {
  broker = await Broker.start();
}, 180_000);
afterAll(() => broker[Symbol.asyncDispose]());

interface Tally {
  lost: number;
  duplicates: number;
  duplicatesMax: number;
}

test(`${KILLS} kills of the service: nothing is lost, and what comes again stays within the bound`, { timeout: timeoutMs(400_000, 2_400_000) }, async () => {
  await using installation = await Installation.create(broker);
  const manifest = await installation.publish({ ...SIZES, seed: random.seed });
  const { report: oracle } = await extract([...TYPES.map((type) => dumpPath(installation.published, type)), "--sink", "null:"]);
  const xmlBytes = Object.values(manifest.types).reduce((sum, { xmlBytes }) => sum + xmlBytes, 0);
  // A piece closes behind the record that fills it, so each half of an interval is rounded up by at most one.
  const roundedUp = (type: keyof typeof SIZES) => (2 * CHUNK_BYTES * SIZES[type]) / manifest.types[type].xmlBytes;
  // Never more than the file has; of several files in progress those with the most.
  const intervals = TYPES.map((type) => Math.min(SIZES[type], INTERVAL + Math.ceil(roundedUp(type)))).sort((a, b) => b - a);
  const bound = WINDOW + intervals.slice(0, THREADS).reduce((sum, records) => sum + records);
  const env = { DEADWAX_CHECKPOINT_RECORDS: String(INTERVAL), DEADWAX_CHUNK: String(CHUNK_BYTES), MAX_WORKERS: String(THREADS) };

  const tally: Tally = { lost: 0, duplicates: 0, duplicatesMax: 0 };
  let kills = 0;
  let beforeCheckpoint = 0;
  for (let pass = 0; kills < KILLS; pass += 1) {
    await installation.freshRoot(`pass-${pass}`);
    await using consumer = await UpstreamConsumer.start(`${broker.address.amqp}/%2F`, "topic");
    let seen = 0;
    for (let done = false; !done; ) {
      const running = installation.serve("topic", env);
      const wanted = kills < KILLS ? await killed(running, installation.root) : false;
      if (!wanted) {
        await running.logs(/⏰ Waiting/);
        running.kill("SIGTERM");
        expect((await running.ended).code).toBe(0);
        done = true;
      } else {
        kills += 1;
        await assertSound(installation.root);
      }
      await consumer.drained();
      tally.duplicatesMax = Math.max(tally.duplicatesMax, consumer.duplicates - seen);
      seen = consumer.duplicates;
      if (wanted && (await assertDelivered(consumer, installation.root)) === 0) beforeCheckpoint += 1;
    }
    tally.duplicates += consumer.duplicates;
    for (const type of TYPES) {
      const { read, digest } = oracle.types[type] ?? { read: -1, digest: "" };
      const missing = Array.from({ length: SIZES[type] }, (_, ordinal) => `${VERSION}/${type}/${ordinal}`).filter((id) => !consumer.deliveries.has(id));
      tally.lost += missing.length;
      expect([type, read, consumer.tables.get(type)?.size]).toEqual([type, SIZES[type], SIZES[type]]);
      expect([type, (await fileState(installation.root, `discogs_${VERSION}_${type}.xml.gz`))?.digest]).toEqual([type, digest]);
    }
    expect(new Set(consumer.controls.map(({ type, from }) => `${type} ${from}`))).toEqual(new Set(TYPES.map((type) => `file_complete ${type}`)));
  }
  figure("crashloop rabbitmq", {
    seed: random.seed,
    kills,
    killsBeforeCheckpoint: beforeCheckpoint,
    xmlBytes,
    interval: INTERVAL,
    window: WINDOW,
    bound,
    ...tally,
  });
  expect(tally.lost).toBe(0);
  expect(tally.duplicatesMax).toBeLessThanOrEqual(bound);
  expect(kills).toBe(KILLS);
});

/** Kills the service at a random moment behind a checkpoint; false if it was done before. */
async function killed(running: Running, root: string): Promise<boolean> {
  const saved = untilSaved(running, root, SAVES_BEFORE + random.between(1, SAVES_SPREAD));
  await Promise.race([saved, running.logs(/⏰ Waiting/)]);
  if (/⏰ Waiting/.test(running.log)) return false;
  await sleep(random.between(0, DELAY_MS_MAX));
  running.kill("SIGKILL");
  return (await running.ended).signal === "SIGKILL";
}

/** Everything below the marker's ordinals has been in the queue; gives the number of ordinals that were looked for. */
async function assertDelivered(consumer: UpstreamConsumer, root: string): Promise<number> {
  let checked = 0;
  for (const type of TYPES) {
    const state = await fileState(root, `discogs_${VERSION}_${type}.xml.gz`);
    const ordinal = state?.status === "completed" ? state.counts.written : (state?.checkpoint?.counts.written ?? 0);
    const missing = Array.from({ length: ordinal }, (_, index) => `${VERSION}/${type}/${index}`).filter((id) => !consumer.deliveries.has(id));
    expect([type, missing.slice(0, 3)]).toEqual([type, []]);
    checked += ordinal;
  }
  return checked;
}
