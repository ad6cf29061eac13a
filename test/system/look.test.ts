import { execFileSync } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDump } from "../../dist/index.js";
import { CLI, deadwax } from "./support/deadwax.ts";
import { seeded } from "./support/random.ts";
import { FULL, figure, timeoutMs } from "./support/scale.ts";

/** About 4 kB of XML each: 1 GB, or 60 MB. */
const RELEASES = FULL ? 270_000 : 16_000;
const DRAWS = 100;
const RECORD_MS_MAX = 100;

test(
  "a record costs the same wherever it lies",
  async () => {
    const { between } = seeded("look");
    const root = await mkdtemp(join(tmpdir(), "deadwax-look-"));
    await using _folder = { [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
    execFileSync(process.execPath, [CLI, "generate", "--releases", String(RELEASES), "--artists", "1", "--masters", "1", "--labels", "1", "--out", root]);
    const begun = performance.now();
    await using dump = await openDump(root, { type: "releases" });
    const buildSeconds = (performance.now() - begun) / 1000;
    const wallMs: number[] = [];
    const cpuMs: number[] = [];
    const asked = new Set<string>();
    let there = 0;
    while (wallMs.length < DRAWS) {
      const id = String(between(1, RELEASES));
      if (asked.has(id)) continue;
      asked.add(id);
      const [started, used] = [performance.now(), process.cpuUsage()];
      const record = await dump.getRecord(id);
      const { user, system } = process.cpuUsage(used);
      if (record === null) continue; // ids have holes
      expect(record.parse().id).toBe(id);
      there += 1;
      wallMs.push(performance.now() - started);
      cpuMs.push((user + system) / 1000);
    }
    const p95 = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(DRAWS * 0.95)] ?? 0;
    const command = await deadwax(["get", "releases", [...asked][0] ?? "", "--root", root, "-q"]);
    const access = (await stat(join(root, ".deadwax_access", "discogs_20260801_releases.xml.gz.access"))).size;
    const figures = { releases: RELEASES, there, buildSeconds, accessBytes: access, p95Ms: p95(wallMs), p95CpuMs: p95(cpuMs), commandSeconds: command.seconds };
    figure("one record of a dump", figures);
    expect(p95(cpuMs)).toBeLessThan(RECORD_MS_MAX);
    // On a machine with other work the clock says nothing of us.
    if (FULL) expect(p95(wallMs)).toBeLessThan(RECORD_MS_MAX);
  },
  timeoutMs(120_000, 600_000),
);
