import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deadwax, extract, Running } from "./support/deadwax.ts";
import "./support/slow.ts";
import { dumpPath, type Folder, makeDump, removeChecksums, temporaryFolder, VERSION } from "./support/dumps.ts";
import { fingerprint } from "./support/output.ts";
import { figure } from "./support/scale.ts";

const RELEASES = 12_000;
const OUTPUT = `${VERSION}/releases.ndjson`;

let folder: Folder;
let dump: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const path = join(folder.path, "dump");
  await makeDump(path, { releases: RELEASES });
  await removeChecksums(path);
  dump = dumpPath(path, "releases");
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

function place(name: string) {
  const out = join(folder.path, name);
  const state = `${out}-state`;
  return { out, state, args: [dump, "--sink", `file:${out}`, "--state", state, "--checkpoint-records", "500", "--chunk", "256KiB"] };
}

test("a second process on the same state is refused within a second, naming the first; a killed one is in nobody's way", { timeout: 60_000 }, async () => {
  const whole = place("whole");
  await extract(whole.args);
  const { out, state, args } = place("locked-run");
  // Stops itself once it has saved its first marker, and so holds the lock for as long as we look.
  const first = new Running(["extract", ...args], { env: { FAULT_PLAN: "marker-renamed stop 1" }, node: ["--conditions=deadwax-faults"] });
  await first.says("FAULT marker-renamed stop 1");
  const second = await deadwax(["extract", ...args, "-q"]);
  figure("refused by the lock", { seconds: second.seconds });
  expect(second.code).toBe(6);
  expect(second.stderr.trimEnd()).toMatch(
    new RegExp(
      `^deadwax: STATE_LOCKED: state folder ${state} is in use by pid ${first.pid} on .*: wait until that run ends, or keep state elsewhere with --state$`,
    ),
  );
  expect(second.seconds).toBeLessThan(1);
  first.kill("SIGKILL");
  await first.ended;
  const { code } = await extract(args);
  expect(code).toBe(0);
  expect(await fingerprint(join(out, OUTPUT))).toBe(await fingerprint(join(whole.out, OUTPUT)));
});
