import { describe, expect, it } from "vitest";
import { CONSUMER_METRICS, LABELS, METRICS } from "../../src/telemetry/metric-names.ts";
import { metricsTable } from "../docs/metrics-table.ts";

describe.each([
  ["the extractor", METRICS],
  ["consumers", CONSUMER_METRICS],
] as const)("metrics of %s", (_, table) => {
  const all = Object.values(table);

  it("have names of one form, each once", () => {
    for (const { name, kind } of all) expect(name).toMatch(kind === "counter" ? /^deadwax_[a-z_]+_total$/ : /^deadwax_[a-z_]+(?<!_total)$/);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });

  it("have labels with few values", () => {
    for (const values of Object.values(LABELS)) expect(values?.length ?? 1).toBeLessThanOrEqual(30);
  });

  it("each have a row in the table, with their labels and one sentence", () => {
    const rows = metricsTable(table).split("\n").slice(2);
    expect(rows).toHaveLength(all.length);
    for (const row of rows) expect(row).toMatch(/^\| `deadwax_\w+(\{[\w, ]+\})?` \| (counter|gauge) \| [A-Z0-9].*\. \|$/);
  });
});
