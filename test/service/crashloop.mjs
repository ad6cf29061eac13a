// `npm run crashloop -- --sink rabbitmq --kills 50 [--seed S]`: kills the service at random moments on a dump of 200 MB and more, restarts
// it to the end, and prints what consumers got as one line of JSON.
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SINKS = { rabbitmq: "test/service/crashloop.test.ts" };
const KILLS_MAX = 50;

const { values } = parseArgs({
  options: { sink: { type: "string", default: "rabbitmq" }, kills: { type: "string", default: "50" }, seed: { type: "string" } },
});
const file = SINKS[values.sink];
const kills = Number(values.kills);
const seed = Number(values.seed ?? randomInt(2 ** 31));
if (file === undefined || !Number.isSafeInteger(kills) || kills < 1 || kills > KILLS_MAX || !Number.isSafeInteger(seed)) {
  process.stderr.write(`usage: npm run crashloop -- [--sink ${Object.keys(SINKS).join("|")}] [--kills 1..${KILLS_MAX}] [--seed S]\n`);
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "deadwax-crashloop-"));
const figures = join(folder, "figures.ndjson");
writeFileSync(figures, "");
try {
  const { status } = spawnSync(process.execPath, [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--config", join(ROOT, "test/vitest.config.ts"), file], {
    cwd: ROOT,
    stdio: ["ignore", 2, 2],
    env: { ...process.env, DEADWAX_PROOF: "1", DEADWAX_CASES: String(kills), DEADWAX_SEED: String(seed), DEADWAX_FIGURES: figures },
  });
  process.stdout.write(readFileSync(figures, "utf8"));
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
