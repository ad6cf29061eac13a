/** Months with changes, and what operators do to the index of a sink between runs. */
import { cp, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { DataType } from "../../src/model.ts";
import { deadwax } from "../system/support/deadwax.ts";
import { dumpPath } from "../system/support/dumps.ts";
import { filesIn } from "../system/support/output.ts";
import { expectSame } from "./expect-changes.ts";
import { expectedChanges, idOf, type Records, replay } from "./oracle.ts";
import { B, C, Scene } from "./scene.ts";

export const D = "20261101";
export const FLAGS = { chunk: "16KiB", allowDeletes: true };

/** Of the test file that has made it. */
export let scene: Scene;

/** Months A to C, and D, in a folder of its own, in which what B and C have changed is as it was in A, and what they have created is gone. */
export async function makeMonths(seed: number): Promise<Scene> {
  scene = await Scene.create({ labels: 300, releases: 150 }, seed);
  await cp(scene.place(), scene.place("first"), { recursive: true });
  await scene.next(B, "created=5,updated=5%,deleted=6", { seed });
  await scene.next(C, "created=5,updated=5%,deleted=6", { seed });
  await scene.next(D, "created=3,updated=2%,deleted=3", { seed, from: scene.place("first"), out: scene.place("reverted") });
  return scene;
}

/** A state command on the index of a place's sink. */
export async function state(name: string, args: readonly string[]) {
  const of = ["--state", join(scene.place(name), "state"), "--sink", `file:${join(scene.place(name), "out")}`, "--output", "json"];
  const ended = await deadwax(["state", ...args, ...of]);
  return { ...ended, json: ended.stdout.length === 0 ? null : JSON.parse(ended.stdout.toString()) };
}

export async function done(name: string, args: readonly string[]) {
  const ended = await state(name, args);
  expect([ended.code, ended.stderr.split("\n").filter((line) => line.includes("error"))]).toEqual([0, []]);
  return ended.json;
}

/** Runs a version into a sink that holds `now`, and holds what becomes of it against a full extraction. */
export async function expectEnd(name: string, version: string, now: ReadonlyMap<DataType, Records>, from = scene.place()): Promise<Record<string, number>> {
  await scene.run(name, { version, flags: FLAGS, from });
  const sent: Record<string, number> = {};
  for (const type of scene.types) {
    const stream = await scene.stream(name, type, version);
    expectSame(`${type} ${version}`, replay(now.get(type) ?? new Map(), stream), (await scene.full(type, version, { from })).last);
    sent[type] = new Set(stream.records.map(idOf)).size;
  }
  return sent;
}

export async function lastIn(version: string): Promise<Map<DataType, Records>> {
  return new Map(await Promise.all(scene.types.map(async (type) => [type, (await scene.full(type, version)).last] as const)));
}

export async function changedBetween(one: string, other: string, from = scene.place()): Promise<Record<string, number>> {
  const changes = scene.types.map(async (type) => {
    const { created, updated } = expectedChanges((await scene.full(type, one)).last, (await scene.full(type, other, { from })).last);
    return [type, created.length + updated.length];
  });
  return Object.fromEntries(await Promise.all(changes));
}

/** The file of the last good generation. */
export async function indexFile(name: string, type: DataType): Promise<string> {
  const pointer = await pointerOf(name);
  const { types } = JSON.parse(await readFile(pointer, "utf8"));
  return join(pointer, "..", types[type].file);
}

export async function pointerOf(name: string): Promise<string> {
  const place = scene.place(`${name}/state`);
  return join(place, (await filesIn(place)).find((file) => file.endsWith("CURRENT.json")) ?? "");
}

export async function losePointer(name: string, how: string): Promise<void> {
  if (how === "damaged") await writeFile(await pointerOf(name), "{");
  else await rm(await pointerOf(name));
}

/** Delivers a version by a process that is killed before its generations become the last good ones. */
export async function killedAtGeneration(name: string, version: string): Promise<void> {
  const place = ["--sink", `file:${join(scene.place(name), "out")}`, "--state", join(scene.place(name), "state")];
  const files = scene.types.map((type) => dumpPath(scene.place(), type, version));
  const options = { node: ["--conditions=deadwax-faults"], env: { FAULT_PLAN: `generation-written kill ${scene.types.length}` } };
  const ended = await deadwax(["extract", ...files, ...place, "--mode", "incremental", "--allow-deletes"], options);
  expect(ended.signal, ended.stderr).toBe("SIGKILL");
}

export async function damage(path: string, at: number): Promise<void> {
  await using file = await open(path, "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 0x55]), 0, 1, at);
}
