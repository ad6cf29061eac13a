import { execFileSync } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, extract, lastLine, Running } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, temporaryFolder, VERSION } from "./support/dumps.ts";
import { assertSound } from "./support/marker.ts";
import { filesIn, fingerprint } from "./support/output.ts";
import { seeded } from "./support/random.ts";
import { cases, figure, timeoutMs } from "./support/scale.ts";

const FAULTS = cases(3, 25);
const RELEASES = 8_000;
/** The n-th call fails up to this n: strace counts each thread by itself, and node has four of them for files. */
const CALLS = { "fsync,fdatasync": 14, "rename,renameat,renameat2": 7, "pwrite64,write": 24 } as const;

const random = seeded("faults");
let folder: Folder;
let dump: string;
let whole: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  await makeDump(join(folder.path, "dump"), { releases: RELEASES });
  dump = dumpPath(join(folder.path, "dump"), "releases");
  await extract([dump, "--sink", `file:${folder.path}/whole`, "--state", `${folder.path}/whole-state`]);
  whole = await fingerprint(join(folder.path, "whole", VERSION, "releases.ndjson"));
  // Fails where strace is missing: what is not traced is not tested.
  execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "ignore" });
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

const FATES = ["error=EIO", "signal=KILL"] as const;
const VARIANTS = FATES.flatMap((fate) => Object.entries(CALLS).map(([calls, most]) => ({ fate, calls, most })));

describe.each(VARIANTS)("$fate at the n-th $calls", ({ fate, calls, most }) => {
  test(`${FAULTS} times: it is told, the state stays sound, the next run ends well`, { timeout: timeoutMs(120_000, 900_000) }, async () => {
    const told: Record<string, number> = {};
    for (let number = 0; number < FAULTS; number += 1) {
      const nth = random.between(1, most);
      const place = join(folder.path, `${fate.slice(0, 5)}-${calls.slice(0, 5)}-${number}`);
      const out = join(place, "out");
      const state = join(place, "state");
      await mkdir(state, { recursive: true });
      const args = [dump, "--sink", `file:${out}`, "--state", state, "--checkpoint-records", "500", "--chunk", "256KiB"];
      // Only calls on our own folder, so that node's own pipes and eventfds are left alone.
      const paths = [
        out,
        state,
        join(out, VERSION),
        ...["releases.ndjson.partial", "releases.ndjson"].map((name) => join(out, VERSION, name)),
        ...["", ".tmp"].map((end) => join(state, `.extraction_status_${VERSION}.json${end}`)),
      ];
      const under = [
        "strace",
        "-f",
        "-qq",
        "-o",
        join(place, "trace"),
        ...paths.flatMap((path) => ["-P", path]),
        "-e",
        `trace=${calls}`,
        "-e",
        `inject=${calls}:${fate}:when=${nth}`,
      ];
      const ended = await new Running(["extract", ...args], { under }).ended;
      if (fate === "signal=KILL") {
        told[ended.signal ?? `exit ${ended.code}`] = (told[ended.signal ?? `exit ${ended.code}`] ?? 0) + 1;
        expect([ended.signal, ended.code]).toContain(ended.signal === null ? 0 : "SIGKILL");
        await resume(args, out, state);
        continue;
      }
      const injected = (await readFile(join(place, "trace"), "utf8")).includes("INJECTED");
      const what = { calls, nth, seed: random.seed, injected };
      if (ended.code === 0) {
        told["done"] = (told["done"] ?? 0) + 1;
        if (injected) expect({ ...what, stderr: ended.stderr }).toEqual({ ...what, stderr: expect.stringContaining("⚠️") });
      } else {
        const code = codeOf(ended);
        told[code] = (told[code] ?? 0) + 1;
        expect({ ...what, code }).toEqual({ ...what, code: expect.stringMatching(/^(5 SINK_UNAVAILABLE|6 STATE_UNWRITABLE)$/) });
        expect(lastLine(ended)).toContain(place);
      }
      await resume(args, out, state);
    }
    figure(`faults, ${fate} at ${calls}`, { seed: random.seed, cases: FAULTS, told });
  });
});

/** The run after the fault must end as if there had been none. */
async function resume(args: readonly string[], out: string, state: string): Promise<void> {
  await assertSound(state);
  const { report, code } = await extract(args);
  expect({ code, written: report.types["releases"]?.written }).toEqual({ code: 0, written: RELEASES });
  expect(await filesIn(out)).toEqual([`${VERSION}/releases.ndjson`]);
  expect(await fingerprint(join(out, VERSION, "releases.ndjson"))).toBe(whole);
}

function codeOf(ended: Ended): string {
  return `${ended.code} ${/^deadwax: ([A-Z_]+): /.exec(lastLine(ended))?.[1] ?? lastLine(ended)}`;
}
