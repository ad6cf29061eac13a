import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { watchDisk } from "../../src/telemetry/disk.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";

const FREE = /^deadwax_data_free_bytes (\S+)$/m;

it("shows the space that is free where the dumps are", async () => {
  const metrics = new Metrics();
  expect(await metrics.render()).not.toMatch(FREE);
  watchDisk(metrics, tmpdir());
  await expect.poll(() => metrics.render()).toMatch(FREE);
  const { bavail, bsize, blocks } = statfsSync(tmpdir());
  const shown = Number(FREE.exec(await metrics.render())?.[1]);
  expect(Math.abs(shown - bavail * bsize)).toBeLessThan(blocks * bsize * 0.1); // others write meanwhile
});

it("shows nothing of a folder that is not there", async () => {
  const metrics = new Metrics();
  metrics.set("freeBytes", {}, 1);
  watchDisk(metrics, "/nowhere/at/all");
  await expect.poll(() => metrics.render()).not.toMatch(FREE);
});
