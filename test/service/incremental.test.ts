import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nextMonth } from "../generate/months.ts";
import { Broker } from "../services/rabbitmq.ts";
import { makeDump, temporaryFolder } from "../system/support/dumps.ts";
import { healthUrl } from "./installation.ts";
import { copyFiles, Scene, TYPES } from "./scene.ts";

const SIZES = { artists: 600, labels: 600, masters: 600, releases: 600 };
const [SECOND, THIRD] = ["20260901", "20261001"];
const INCREMENTAL = { DEADWAX_MODE: "incremental" };

let broker: Broker;
beforeAll(async () => {
  broker = await Broker.start();
}, 180_000);
afterAll(() => broker[Symbol.asyncDispose]());

describe.each(["topic", "fanout"] as const)("the service in incremental mode, %s", (contract) => {
  test("publishes a first month whole, of the next one only what has changed, and never that a version is complete", { timeout: 180_000 }, async () => {
    await using folder = await temporaryFolder();
    const [first, second, third] = ["first", "second", "third"].map((name) => join(folder.path, name)) as [string, string, string];
    await makeDump(first, SIZES);
    await nextMonth({ from: first, out: second, version: SECOND, changes: "created=5,updated=7,deleted=3,bytes=10,reordered=4" });
    await nextMonth({ from: second, out: third, version: THIRD, changes: "" });
    await using scene = await Scene.open(broker, contract, first);

    await scene.once(INCREMENTAL);
    for (const type of TYPES) expect([type, scene.received[type]]).toEqual([type, SIZES[type]]);

    await copyFiles(second, scene.installation.published);
    const log = await scene.once(INCREMENTAL);
    for (const type of TYPES) {
      expect([type, scene.received[type]]).toEqual([type, SIZES[type] + 5 + 7]);
      expect(log).toMatch(new RegExp(`${type}: 5 created, 7 updated, 3 deleted, 590 unchanged`));
      // Upstream's writer hears of nothing that is gone.
      expect([type, scene.consumer?.tables.get(type)?.size]).toEqual([type, SIZES[type] + 5]);
    }

    await copyFiles(third, scene.installation.published);
    const running = scene.serve(INCREMENTAL);
    const url = await healthUrl(running);
    await running.logs(/⏰ Waiting/);
    await scene.consumer?.drained();
    expect(((await (await fetch(`${url}/health`)).json()) as { mode: string }).mode).toBe("incremental");
    const metrics = await (await fetch(`${url}/metrics`, { headers: { accept: "text/plain;version=0.0.4" } })).text();
    for (const type of TYPES) {
      expect([type, scene.received[type]]).toEqual([type, SIZES[type] + 5 + 7]);
      expect(metrics).toContain(`deadwax_changes_total{type="${type}",change="unchanged"} ${SIZES[type] + 2}`);
      expect(metrics).toContain(`deadwax_deletions_held{type="${type}"} 0`);
    }
    running.kill("SIGTERM");
    expect((await running.ended).code).toBe(0);
    expect(scene.controls("file_complete").length).toBeGreaterThanOrEqual(3 * TYPES.length);
    expect(scene.controls("extraction_complete")).toEqual([]);
    expect(scene.consumer?.deadLetters).toEqual([]);
  });

  test("goes on without changes held back until they are allowed", { timeout: 180_000 }, async () => {
    await using folder = await temporaryFolder();
    const [first, second] = ["first", "second"].map((name) => join(folder.path, name)) as [string, string];
    await makeDump(first, SIZES);
    await nextMonth({ from: first, out: second, version: SECOND, changes: "labels.deleted=5%" });
    await using scene = await Scene.open(broker, contract, first);
    await scene.once(INCREMENTAL);
    await copyFiles(second, scene.installation.published);
    expect(await scene.once(INCREMENTAL)).toMatch(/labels: 30 records are gone, and their deletions are held back/);
    expect(await scene.once({ ...INCREMENTAL, DEADWAX_ALLOW_DELETES: "true" })).toMatch(/labels: 0 created, 0 updated, 30 deleted, 570 unchanged/);
    expect(await scene.once(INCREMENTAL)).toMatch(/is complete already/);
  });
});
