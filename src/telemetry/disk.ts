import { statfs } from "node:fs/promises";
import type { Metrics } from "./metrics.ts";

/**
 * Shows the free bytes of the file system that holds `folder`. Each scrape sees what was found at the one before it and starts a new look,
 * so that a disk that does not answer holds up nothing.
 */
export function watchDisk(metrics: Metrics, folder: string): void {
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      const { bavail, bsize } = await statfs(folder);
      metrics.set("freeBytes", {}, bavail * bsize);
    } catch {
      metrics.unset("freeBytes", {}); // a folder that is not there has no free bytes
    } finally {
      looking = false;
    }
  };
  metrics.onRender(() => void look());
  void look();
}
