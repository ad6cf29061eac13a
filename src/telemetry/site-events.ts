import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import { formatBytes, formatElapsed, formatSpeed } from "./format.ts";
import type { Metrics } from "./metrics.ts";

/** The progress of a download is logged after so much time, and then as often. */
const REPORT_EVERY_MS = 30_000;

/** What happens while dumps are looked for and fetched. */
export function createSiteEvents(log: Logger, metrics: Metrics | null, clock: Clock) {
  const downloads = new Map<string, { counted: number; reportedAt: number; reportedBytes: number }>();
  const begin = (name: string, bytes: number) => downloads.set(name, { counted: bytes, reportedAt: clock.now(), reportedBytes: bytes });
  const of = (size: number | null) => (size === null ? "" : ` of ${formatBytes(size)}`);
  return {
    listingFetched(files: number, versions: number): void {
      log.info({ files, versions }, `🌐 Fetched the listing: ${files} files of ${versions} ${versions === 1 ? "version" : "versions"}`);
    },
    versionChosen(version: string): void {
      log.info({ version }, `📋 Detected Discogs data version: ${version}`);
    },
    /** The next request is held back: to keep the gap, or because the site asked for patience. */
    waiting(why: "gap" | "rate-limited", seconds: number): void {
      if (why === "gap") {
        log.debug({ seconds }, `🐢 Next request in ${formatElapsed(seconds)}`);
        return;
      }
      metrics?.count("rateLimited", {});
      metrics?.count("rateLimitedSeconds", {}, seconds);
      log.warn({ seconds }, `⏸️ Rate limited: next request in ${formatElapsed(seconds)}`);
    },
    retrying(what: string, attempt: number, seconds: number, reason: string): void {
      metrics?.count("downloadRetries", {});
      log.warn({ attempt, seconds }, `🔄 Trying again in ${formatElapsed(seconds)} (attempt ${attempt} failed): ${what}: ${reason}`);
    },
    downloadStarted(name: string, bytes: number | null): void {
      begin(name, 0);
      log.info({ file: name, bytes }, `⬇️ Downloading ${name}${bytes === null ? "" : ` (${formatBytes(bytes)})`}`);
    },
    downloadResumed(name: string, fromByte: number, bytes: number | null): void {
      begin(name, fromByte);
      log.info({ file: name, fromByte, bytes }, `🔄 Resuming the download of ${name} at ${formatBytes(fromByte)}${of(bytes)}`);
    },
    /** `bytesDone` counts from the beginning of the file. */
    downloadProgressed(name: string, bytesDone: number, bytes: number | null): void {
      const download = downloads.get(name);
      if (download === undefined) return;
      metrics?.count("downloadBytes", {}, Math.max(0, bytesDone - download.counted));
      download.counted = bytesDone;
      const passedMs = clock.now() - download.reportedAt;
      if (passedMs < REPORT_EVERY_MS) return;
      const speed = formatSpeed((Math.max(0, bytesDone - download.reportedBytes) / passedMs) * 1000);
      log.info({ file: name, bytesDone, bytes }, `📊 Downloading ${name}: ${formatBytes(bytesDone)}${of(bytes)}, ${speed}`);
      download.reportedAt = clock.now();
      download.reportedBytes = bytesDone;
    },
    downloadFinished(name: string, bytes: number, bytesFetched: number, seconds: number): void {
      const counted = downloads.get(name)?.counted ?? 0;
      metrics?.count("downloadBytes", {}, Math.max(0, bytes - counted));
      downloads.delete(name);
      const speed = seconds > 0 ? `, ${formatSpeed(bytesFetched / seconds)}` : "";
      log.info({ file: name, bytes, bytesFetched, seconds }, `✅ Downloaded ${name}: ${formatBytes(bytes)} in ${formatElapsed(seconds)}${speed}`);
    },
    warned(text: string): void {
      log.warn(`⚠️ ${text}`);
    },
  };
}
