import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Broker } from "../services/rabbitmq.ts";
import { extract, type Report, Running } from "../system/support/deadwax.ts";
import { dumpPath, VERSION } from "../system/support/dumps.ts";
import { assertSound, fileState } from "../system/support/marker.ts";
import { seeded } from "../system/support/random.ts";
import { cases, figure, timeoutMs } from "../system/support/scale.ts";
import { Installation } from "./installation.ts";
import { UpstreamConsumer } from "./upstream-consumer.ts";

const SIZES = { artists: 40, labels: 60, masters: 30, releases: 120 };
const TYPES = ["artists", "labels", "masters", "releases"] as const;
/** Rounds of a call and a fate: a few, in a proof one after the other, until nothing is injected any more. */
const ROUNDS = cases(2, 24);
/** Calls among which CI draws; strace counts each thread by itself, and node has four of them for files. */
const CI_CALLS_MAX = 8;
const CALLS = ["rename,renameat,renameat2", "fsync,fdatasync"] as const;
const FATES = ["signal=KILL", "error=EIO"] as const;
const ENV = { DEADWAX_CHECKPOINT_RECORDS: "20", DEADWAX_CHUNK: "16KiB" };

const random = seeded("syscalls");
let broker: Broker;
let installation: Installation;
let oracle: Report;
beforeAll(async () => {
  // Fails where strace is missing: what is not traced is not tested.
  execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "ignore" });
  broker = await Broker.start();
  installation = await Installation.create(broker);
  await installation.publish({ ...SIZES, seed: random.seed });
  oracle = (await extract([...TYPES.map((type) => dumpPath(installation.published, type)), "--sink", "null:"])).report;
}, 180_000);
afterAll(async () => {
  await installation[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

/** The process that strace runs: strace itself lets a SIGTERM pass by. */
async function tracedBy(pid: number): Promise<number> {
  const [child = ""] = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ");
  if (child === "") throw new Error("strace runs nothing any more"); // 0 would be our own process group
  return Number(child);
}

describe.each(FATES.flatMap((fate) => CALLS.map((calls) => ({ fate, calls }))))("$fate at the n-th $calls", ({ fate, calls }) => {
  test("the state stays sound, and the next start publishes everything", { timeout: timeoutMs(180_000, 1_200_000) }, async () => {
    let struck = 0;
    for (let round = 1; round <= ROUNDS; round += 1) {
      const nth = cases(0, 1) === 1 ? round : random.between(1, CI_CALLS_MAX);
      const root = await installation.freshRoot(`${fate.slice(0, 5)}-${calls.slice(0, 5)}-${round}`);
      await using consumer = await UpstreamConsumer.start(`${broker.address.amqp}/%2F`, "topic");
      const trace = join(root, "..", `trace-${fate.slice(0, 5)}-${calls.slice(0, 5)}-${round}`);
      // Only calls on the service's folder, so that node's own files are left alone.
      const names = TYPES.map((type) => `discogs_${VERSION}_${type}.xml.gz`);
      const files = [
        ".discogs_metadata.json",
        `discogs_${VERSION}_CHECKSUM.txt`,
        `.extraction_status_${VERSION}.json`,
        ...names,
        ...names.map((name) => `.${name}.part`),
      ];
      const paths = [root, ...files.flatMap((name) => [join(root, name), join(root, `${name}.tmp`), join(root, `${name}.json`)])];
      const traced = ["-f", "-qq", "-o", trace, ...paths.flatMap((path) => ["-P", path]), "-e", `trace=${calls}`, "-e", `inject=${calls}:${fate}:when=${nth}`];
      const first = new Running(["serve"], { heard: true, under: ["strace", ...traced], env: { ...installation.environment("topic"), ...ENV } });
      const ended = await Promise.race([first.ended, first.logs(/⏰ Waiting/).then(() => null)]).catch(() => first.ended);
      if (ended === null) process.kill(await tracedBy(first.pid), "SIGTERM");
      await first.ended;
      const injected = fate === "signal=KILL" ? ended !== null : (await readFile(trace, "utf8")).includes("INJECTED");
      if (injected) struck += 1;
      else if (cases(0, 1) === 1) break; // fewer calls than that: the loop is through

      const what = `${fate} ${calls} ${nth}`;
      const second = installation.serve("topic", ENV);
      await second.logs(/⏰ Waiting/);
      await consumer.drained();
      await assertSound(root);
      for (const type of TYPES) {
        const missing = Array.from({ length: SIZES[type] }, (_, n) => `${VERSION}/${type}/${n}`).filter((id) => !consumer.deliveries.has(id));
        const state = await fileState(root, `discogs_${VERSION}_${type}.xml.gz`);
        expect([what, type, missing.length, state?.digest]).toEqual([what, type, 0, oracle.types[type]?.digest]);
      }
      second.kill("SIGTERM");
      expect((await second.ended).code).toBe(0);
    }
    figure(`syscalls, ${fate} at ${calls}`, { seed: random.seed, struck });
    expect(struck).toBeGreaterThan(0);
  });
});
