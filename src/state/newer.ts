/** Whether a root has gone on to a newer version already. */
import { listMarkers, MarkerFile } from "./file.ts";
import type { Marker } from "./marker.ts";

const VERSION = /^\d{8}$/;

/**
 * The newest version behind `version` of which records were read in `root`, or null. A dump is a whole: publishing an older one behind
 * it would take consumers back. A version that was only looked at or downloaded, such as one that is withdrawn again, does not count.
 */
export async function newerVersion(root: string, version: string, now = new Date()): Promise<string | null> {
  const newer = (await listMarkers(root)).map((marker) => marker.version).filter((other) => VERSION.test(other) && other > version);
  for (const other of newer.sort().reverse()) {
    const read = await new MarkerFile(root, other).read(now);
    if (read.kind === "marker" && hasRecords(read.marker)) return other;
  }
  return null;
}

function hasRecords({ processing_phase: processing, deadwax: { runs } }: Marker): boolean {
  const files = [...Object.values(processing.progress_by_file), ...Object.values(runs).flatMap((run) => Object.values(run.files))];
  return files.some(({ status }) => status !== "pending");
}
