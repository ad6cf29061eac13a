import { hideSecrets } from "../config/secrets.ts";
import type { ExtractReport, TypeReport } from "../discogs/request.ts";
import { formatCount, formatElapsed, formatSpeed } from "../telemetry/format.ts";

/** A run's report for people. */
export function renderReport(report: ExtractReport, sinkUrls: readonly string[]): string {
  const lines = Object.entries(report.types).map(([type, counts]) => renderType(type, counts));
  const outcome = report.complete ? "complete" : "not complete";
  return [`${report.version} (${report.contract}) into ${sinkUrls.map(hideSecrets).join(" + ")}, ${outcome}`, ...lines, ""].join("\n");
}

function renderType(type: string, { read, written, rejected, empty, skipped, xmlBytes, seconds, resumedFrom }: TypeReport): string {
  const counts = `${formatCount(read)} read, ${formatCount(written)} written, ${formatCount(rejected)} rejected, ${formatCount(empty)} empty`;
  const skips = skipped === undefined ? "" : `, ${formatCount(skipped)} skipped`;
  const speed = seconds > 0 ? `, ${formatSpeed(xmlBytes / seconds)}` : "";
  const resumed = resumedFrom === null ? "" : `, resumed at record ${formatCount(resumedFrom.ordinal)}`;
  return `  ${type.padEnd(8)}  ${counts}${skips} in ${formatElapsed(seconds)}${speed}${resumed}`;
}
