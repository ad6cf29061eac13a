import { afterAll, beforeAll, expect, test } from "vitest";
import { readMarker } from "../system/support/marker.ts";
import { A, Scene } from "./scene.ts";

const LABELS = 3000;
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.create({ labels: LABELS }, 1);
});
afterAll(() => scene[Symbol.asyncDispose]());

test("batches hold as many changed records as they may, however large a piece is", async () => {
  const batches: number[] = [];
  for (const batchSize of ["10", "1000"]) {
    const name = `batches-${batchSize}`;
    await scene.run(name, { version: A, flags: { batchSize } });
    expect(await scene.lines(name, `${A}/labels.ndjson`)).toHaveLength(LABELS);
    const marker = await readMarker(scene.place(`${name}/state`), A);
    batches.push(marker.publishing_phase.batches_sent);
  }
  expect(batches).toEqual([LABELS / 10, LABELS / 1000]);
  expect(await scene.lines("batches-10", `${A}/labels.ndjson`)).toEqual(await scene.lines("batches-1000", `${A}/labels.ndjson`));
});
