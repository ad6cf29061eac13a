import { METRICS } from "../../src/telemetry/metric-names.ts";

/** The README's table of metrics, as the code has them. */
export function metricsTable(): string {
  const rows = Object.values(METRICS).map(({ name, kind, labels, help }) => {
    const shown = labels.length === 0 ? "" : `{${labels.join(", ")}}`;
    return `| \`${name}${shown}\` | ${kind} | ${help.replaceAll("|", "\\|")} |`;
  });
  return ["| Metric | Kind | Meaning |", "| --- | --- | --- |", ...rows].join("\n");
}
