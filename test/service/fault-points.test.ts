import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAULT_POINTS } from "../../src/fault/points.ts";
import { Broker } from "../services/rabbitmq.ts";
import { type Ended, extract, type Report } from "../system/support/deadwax.ts";
import { dumpPath, VERSION } from "../system/support/dumps.ts";
import { assertSound, fileState } from "../system/support/marker.ts";
import { seeded } from "../system/support/random.ts";
import { cases, figure, timeoutMs } from "../system/support/scale.ts";
import { Installation } from "./installation.ts";
import { UpstreamConsumer } from "./upstream-consumer.ts";

const SIZES = { artists: 200, labels: 300, masters: 150, releases: 900 };
const TYPES = ["artists", "labels", "masters", "releases"] as const;
const FAULTS_ON = ["--conditions=deadwax-faults"];
/** Passages of a point that are struck, drawn from the first so many. */
const PASSAGES = cases(1, 3);
const PASSAGE_MAX = 8;
const ENV = { DEADWAX_CHECKPOINT_RECORDS: "200", DEADWAX_CHUNK: "64KiB" };

const random = seeded("fault-points");
let broker: Broker;
let installation: Installation;
let oracle: Report;
beforeAll(async () => {
  broker = await Broker.start();
  installation = await Installation.create(broker);
  await installation.publish({ ...SIZES, seed: random.seed });
  oracle = (await extract([...TYPES.map((type) => dumpPath(installation.published, type)), "--sink", "null:", "--contract", "fanout"])).report;
}, 180_000);
afterAll(async () => {
  await installation[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

/** Those of PostgreSQL's sink are struck in test/system/postgres.test.ts, those of incremental mode in test/change/kills.test.ts. */
const OF_RABBITMQ = FAULT_POINTS.filter((point) => !/^(portion|ledger|tombstones|generation|index|state)-/.test(point));

describe.each(OF_RABBITMQ)("at %s", (point) => {
  test.each(["kill", "throw"])("%s: the next start brings everything to its end", { timeout: timeoutMs(120_000, 600_000) }, async (action) => {
    for (let round = 0; round < PASSAGES; round += 1) {
      // What comes once in a run is struck at its first passage.
      const passage = round === 0 ? 1 : random.between(1, PASSAGE_MAX);
      const what = `${point} ${action} ${passage}`;
      await installation.freshRoot(`${point}-${action}-${round}`);
      await using consumer = await UpstreamConsumer.start(`${broker.address.amqp}/%2F`, "fanout");
      const first = installation.serve("fanout", { ...ENV, FAULT_PLAN: what }, FAULTS_ON);
      const struck = await Promise.race([first.ended, first.logs(/⏰ Waiting/).then(() => null)]).catch(() => first.ended);
      if (struck === null)
        first.kill("SIGKILL"); // fewer passages than that
      else expect([what, endOf(struck)]).toEqual([what, action === "kill" ? "SIGKILL" : "exit 1"]);
      await first.ended;
      if (round === 0) expect([what, struck !== null]).toEqual([what, true]);

      const second = installation.serve("fanout", ENV);
      await second.logs(/⏰ Waiting/);
      await consumer.drained();
      await assertSound(installation.root);
      for (const type of TYPES) {
        const missing = Array.from({ length: SIZES[type] }, (_, n) => `${VERSION}/${type}/${n}`).filter((id) => !consumer.deliveries.has(id));
        const state = await fileState(installation.root, `discogs_${VERSION}_${type}.xml.gz`);
        expect([what, type, missing.length, state?.status, state?.digest]).toEqual([what, type, 0, "completed", oracle.types[type]?.digest]);
      }
      const told = consumer.controls.filter(({ type }) => type === "extraction_complete").map(({ from }) => from);
      expect([what, [...new Set(told)].sort()]).toEqual([what, [...TYPES]]);
      figure("fault point", { what, duplicates: consumer.duplicates });
      second.kill("SIGTERM");
      expect((await second.ended).code).toBe(0);
    }
  });
});

function endOf({ code, signal }: Ended): string {
  return signal ?? `exit ${code}`;
}
