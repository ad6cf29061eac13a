import type { DataType, Flagged } from "../model.ts";

/** A rule as the report names it. */
export interface ReportedRule {
  readonly name: string;
  readonly severity: "error" | "warning" | "info";
}

/** Skipped records whose ids are kept for the report; beyond it they are only counted. */
const IDS_KEPT_MAX = 100_000;

type Hits = { error: number; warning: number; info: number };

/** Counts what rules have found in one file, for its report. */
export class QualityCounts {
  readonly #rules: readonly ReportedRule[];
  readonly #byRule = new Map<string, Hits>();
  readonly #byReason = new Map<string, string[]>();
  #idsKept = 0;
  #skipped = 0;
  #violations = 0;

  constructor(rules: readonly ReportedRule[]) {
    this.#rules = rules;
  }

  /** Whether rules have found nothing at all. */
  get isClean(): boolean {
    return this.#skipped === 0 && this.#violations === 0;
  }

  add({ violations, skips, hits }: Pick<Flagged, "violations" | "skips" | "hits">): void {
    if (hits === null) for (const line of linesOf(violations)) this.addViolation(line);
    hits?.forEach((count, index) => {
      const rule = this.#rules[index];
      if (rule !== undefined && count > 0) this.#hit(rule.name, rule.severity, count);
    });
    for (const line of linesOf(skips)) this.addSkip(line);
  }

  /** Counts one line of the log of violations. */
  addViolation(line: string): void {
    const { rule, severity }: { rule: string; severity: ReportedRule["severity"] } = JSON.parse(line);
    this.#hit(rule, severity, 1);
  }

  /** Counts one line of the log of skipped records. */
  addSkip(line: string): void {
    const { reason, record_id: id }: { reason: string; record_id: string } = JSON.parse(line);
    const ids = this.#byReason.get(reason) ?? [];
    this.#byReason.set(reason, ids);
    this.#skipped += 1;
    if (this.#idsKept === IDS_KEPT_MAX) return;
    this.#idsKept += 1;
    ids.push(id);
  }

  /** The report of a version's file with so many records, as upstream words it; at most `idsMax` ids for each reason. */
  render(version: string, dataType: DataType, records: number, idsMax = IDS_KEPT_MAX): string {
    const header = `📊 Data Quality Report for discogs_${version}:`;
    if (this.isClean) return `${header} No data quality violations found.\n`;
    const sum = (severity: keyof Hits) => [...this.#byRule.values()].reduce((total, hits) => total + hits[severity], 0);
    const rules = [...this.#byRule].sort(([a], [b]) => (a < b ? -1 : 1));
    const lines = [
      header,
      ...this.#skipLines(dataType, idsMax),
      `  ${dataType}: ${sum("error")} errors, ${sum("warning")} warnings (of ${records} records)`,
      ...rules.map(([name, hits]) => `    ${name}: ${describe(hits)}`),
    ];
    return `${lines.join("\n")}\n`;
  }

  #skipLines(dataType: DataType, idsMax: number): string[] {
    if (this.#skipped === 0) return [];
    const reasons = [...this.#byReason].map(([reason, ids]) => `${reason}: ${ids.slice(0, idsMax).join(", ")}`);
    const named = [...this.#byReason.values()].reduce((total, ids) => total + Math.min(ids.length, idsMax), 0);
    const more = named < this.#skipped ? `; and ${this.#skipped - named} more` : "";
    return ["  ⏭️ Skipped records:", `    ${dataType}: ${this.#skipped} (${reasons.join("; ")}${more})`];
  }

  #hit(name: string, severity: keyof Hits, count: number): void {
    const hits = this.#byRule.get(name) ?? { error: 0, warning: 0, info: 0 };
    hits[severity] += count;
    this.#byRule.set(name, hits);
    this.#violations += count;
  }
}

function describe({ error, warning, info }: Hits): string {
  const parts = [error > 0 ? `${error} errors` : "", warning > 0 ? `${warning} warnings` : "", info > 0 ? `${info} info` : ""];
  return parts.filter((part) => part !== "").join(", ");
}

function linesOf(bytes: Uint8Array): string[] {
  return bytes.byteLength === 0 ? [] : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8").trimEnd().split("\n");
}
