import type { MetricTable } from "../../src/telemetry/metric-names.ts";

/** A table of metrics, as the code has them. */
export function metricsTable(metrics: MetricTable): string {
  const rows = Object.values(metrics).map(({ name, kind, labels, help }) => {
    const shown = labels.length === 0 ? "" : `{${labels.join(", ")}}`;
    return `| \`${name}${shown}\` | ${kind} | ${help.replaceAll("|", "\\|")} |`;
  });
  return ["| Metric | Kind | Meaning |", "| --- | --- | --- |", ...rows].join("\n");
}
