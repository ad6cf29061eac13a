import { hideSecrets } from "../config/secrets.ts";
import type { ChangeReport, ExtractReport, TypeReport } from "../discogs/request.ts";
import { formatCount, formatElapsed, formatSpeed } from "../telemetry/format.ts";

/** A run's report for people. */
export function renderReport(report: ExtractReport, sinkUrls: readonly string[]): string {
  const lines = Object.entries(report.types).map(([type, counts]) => renderType(type, counts));
  const outcome = report.complete ? "complete" : "not complete";
  return [`${report.version} (${report.contract}) into ${sinkUrls.map(hideSecrets).join(" + ")}, ${outcome}`, ...lines, ""].join("\n");
}

function renderType(type: string, report: TypeReport): string {
  const { read, written, rejected, empty, skipped, xmlBytes, seconds, resumedFrom } = report;
  const { created, updated = 0, deleted = 0, unchanged = 0, pending = 0 } = report;
  const counts = `${formatCount(read)} read, ${formatCount(written)} written, ${formatCount(rejected)} rejected, ${formatCount(empty)} empty`;
  const skips = skipped === undefined ? "" : `, ${formatCount(skipped)} skipped`;
  const changed = created === undefined ? "" : renderChanges({ created, updated, deleted, unchanged, pending });
  const speed = seconds > 0 ? `, ${formatSpeed(xmlBytes / seconds)}` : "";
  const resumed = resumedFrom === null ? "" : `, resumed at record ${formatCount(resumedFrom.ordinal)}`;
  return `  ${type.padEnd(8)}  ${counts}${skips}${changed} in ${formatElapsed(seconds)}${speed}${resumed}`;
}

function renderChanges({ created, updated, deleted, unchanged, pending }: Omit<ChangeReport, "repeated">): string {
  const held = pending > 0 ? ` (${formatCount(pending)} held back)` : "";
  return `: ${formatCount(created)} created, ${formatCount(updated)} updated, ${formatCount(deleted)} deleted${held}, ${formatCount(unchanged)} unchanged`;
}
