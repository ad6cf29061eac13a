import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Marker } from "../../../src/state/marker.ts";
import { deadwax, type Running } from "./deadwax.ts";
import { VERSION } from "./dumps.ts";

/** Path of a version's state marker. */
export function markerPath(folder: string, version = VERSION): string {
  return join(folder, `.extraction_status_${version}.json`);
}

/** The state marker as it is on disk. */
export async function readMarker(folder: string, version = VERSION): Promise<Marker> {
  return JSON.parse(await readFile(markerPath(folder, version), "utf8")) as Marker;
}

/** The state of a file in the active run; undefined before the file was started. */
export async function fileState(folder: string, file: string) {
  const { deadwax: own } = await readMarker(folder);
  return own.active === null ? undefined : own.runs[own.active]?.files[file];
}

/** Fails unless the program itself finds the state in a folder sound. */
export async function assertSound(folder: string): Promise<void> {
  const { code, stdout, stderr } = await deadwax(["state", "check", "--state", folder]);
  if (code !== 0) throw new Error(`state check says ${code}: ${stdout.toString()}${stderr}`);
}

/** Resolves when the marker was saved `saves` times from now on, or the program has ended. */
export async function untilSaved(running: Running, folder: string, saves: number): Promise<void> {
  const name = `.extraction_status_${VERSION}.json`;
  let left = saves;
  let settle: () => void = () => {};
  const seen = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const watcher = watch(folder, (event, file) => {
    if (event !== "rename" || file !== name) return; // each save renames the marker into place once
    left -= 1;
    if (left <= 0) settle();
  });
  try {
    await Promise.race([seen, running.ended]);
  } finally {
    watcher.close();
  }
}
