import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nextMonth } from "../generate/months.ts";
import { Broker } from "../services/rabbitmq.ts";
import { targets } from "../source/discogs/scripted-server.ts";
import { makeDump, temporaryFolder, VERSION } from "../system/support/dumps.ts";
import { copyFiles, Scene, TYPES } from "./scene.ts";

const SIZES = { artists: 100, labels: 300, masters: 100, releases: 100 };
const BEFORE = "20260701";

let broker: Broker;
beforeAll(async () => {
  broker = await Broker.start();
}, 180_000);
afterAll(() => broker[Symbol.asyncDispose]());

test.each([
  ["normal", "fanout"],
  ["incremental", "topic"],
] as const)(
  "of a complete version the file that is published anew is fetched and published again, in %s mode",
  { timeout: 180_000 },
  async (mode, contract) => {
    await using folder = await temporaryFolder();
    const [base, first, anew] = ["base", "first", "anew"].map((name) => join(folder.path, name)) as [string, string, string];
    await makeDump(base, { ...SIZES, version: BEFORE });
    await nextMonth({ from: base, out: first, version: VERSION, changes: "" });
    await nextMonth({ from: base, out: anew, version: VERSION, changes: "labels.updated=7,labels.created=2" });
    await using scene = await Scene.open(broker, contract, first);
    const { site, published } = scene.installation;
    const env = { DEADWAX_MODE: mode };
    const fetched = () => TYPES.map((type) => site.bytesServed(({ target }) => target.includes(`${type}.xml.gz`)));
    const announced = () => scene.controls("extraction_complete").length;

    expect(await scene.once(env)).not.toContain("is complete already");
    const [received, served, told] = [scene.received, fetched(), announced()];
    expect(received).toEqual(SIZES);
    expect(await scene.once(env)).toContain("is complete already");
    site.script(targets.file(`discogs_${VERSION}_CHECKSUM.txt`), { status: 404, body: "gone" });
    const unknown = await scene.once(env);
    expect(unknown).toContain("is complete already");
    expect(unknown).toMatch(/the CHECKSUM of \d+, which is complete, cannot be had/);
    expect([scene.received, fetched(), announced()]).toEqual([received, served, told]);
    site.unscript(targets.file(`discogs_${VERSION}_CHECKSUM.txt`));

    await copyFiles(anew, published);
    const log = await scene.once(env);
    expect(log).toMatch(/labels.*does not have the SHA-256 that is published/);
    const sent = mode === "normal" ? SIZES.labels + 2 : 7 + 2;
    expect(scene.received).toEqual({ ...SIZES, labels: SIZES.labels + sent });
    expect(fetched().map((bytes, index) => bytes > (served[index] ?? 0))).toEqual(TYPES.map((type) => type === "labels"));
    expect(scene.consumer?.tables.get("labels")?.size).toBe(SIZES.labels + 2);
    for (const type of TYPES) expect([type, scene.consumer?.purged.get(type) ?? []]).toEqual([type, []]);
    expect(announced()).toBe(2 * told);
    expect(await scene.once(env)).toContain("is complete already");
    expect(scene.consumer?.deadLetters).toEqual([]);
  },
);
