import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CONSUMER_METRICS, LABELS, type LabelName, METRICS } from "../../src/telemetry/metric-names.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Telemetry } from "../../src/telemetry.ts";
import { freePort } from "../services/ports.ts";
import { ensureDebian } from "../services/process.ts";
import { ask, serve } from "./support/serve.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ALERTS = join(ROOT, "deploy/alerts.yaml");
const DASHBOARD = join(ROOT, "deploy/grafana-dashboard.json");
const INSTALL_MS = 300_000;
const READY_MS = 60_000;

beforeAll(() => ensureDebian("/usr/bin/promtool", "prometheus"), INSTALL_MS);

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

function rules(): Rule[] {
  const { groups } = parse(readFileSync(ALERTS, "utf8"));
  return groups.flatMap((group: { rules: Rule[] }) => group.rules);
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

function dashboard(): { panels: Panel[]; queries: string[]; variables: string[] } {
  const { panels, templating } = JSON.parse(readFileSync(DASHBOARD, "utf8"));
  const queries = panels.flatMap((panel: Panel) => (panel.targets ?? []).map(({ expr }) => expr));
  return { panels, queries, variables: templating.list.map(({ query }: { query: string }) => query).filter((query: string) => query.includes("(")) };
}

/** Names of metrics in an expression, and the values that it compares labels with. */
function uses(expr: string): { names: string[]; labels: [string, string][] } {
  const names = [...expr.matchAll(/\b(?:deadwax|process|nodejs)_[a-z0-9_]+/g)].map(([name]) => name);
  const labels = [...expr.matchAll(/(\w+)=~?"([^"]*)"/g)].map(([, label = "", values = ""]): [string, string] => [label, values]);
  return { names, labels };
}

describe("what Prometheus reads", () => {
  it("is in good order, from the first scrape on and in the midst of a run", async () => {
    await using served = await serve();
    const telemetry = new Telemetry({ level: "silent", format: "json", output: { write: () => {} }, bar: false, metrics: served.metrics });
    const scrape = async () => (await ask(served.port, "/metrics", { headers: { accept: "text/plain" } })).body;
    const texts = [await scrape()];
    telemetry.service.started({ version: "0.2.0", contract: "fanout", threads: 2 });
    telemetry.runStarted({
      version: "20260801",
      mode: "normal",
      contract: "fanout",
      sink: "null:",
      threads: 2,
      files: [{ name: "f", dataType: "labels", size: 10 }],
    });
    const counts = { dataType: "labels", read: 5, written: 5, empty: 0, unknownIds: 0, rejects: [], xmlBytes: 500, compressedBytes: 7 } as const;
    telemetry.batchWritten("f", counts);
    telemetry.sinkEvents.of("amqp://h").connected();
    telemetry.service.runEnded("complete");
    texts.push(await scrape());
    telemetry.runEnded("complete");
    for (const text of texts) {
      const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
    }
    expect(texts[1]).toContain("deadwax_run_progress_ratio 0.7\n");
    expect(texts[1]).toContain("\nprocess_cpu_seconds_total ");
    expect(texts[1]).toContain("\nnodejs_eventloop_lag_p99_seconds ");
  });

  it("has no series without a bound", async () => {
    const text = await new Metrics().render();
    expect(text.split("\n").filter((line) => line.startsWith("deadwax_")).length).toBeLessThan(150);
    for (const { labels } of Object.values(METRICS)) expect(labels.length).toBeLessThanOrEqual(3);
  });
});

describe("the alert rules", () => {
  it("are in good order", () => {
    expect(execFileSync("promtool", ["check", "rules", ALERTS], { encoding: "utf8" })).toContain(`SUCCESS: ${rules().length} rules found`);
  });

  it.each(["cases", "weeks"])("fire when they should and only then: %s", (name) => {
    const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", join(ROOT, `test/server/alerts/${name}.yaml`)], { encoding: "utf8" });
    expect({ status, stderr, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining("SUCCESS") });
  });

  it("are each tried", () => {
    const tried = readFileSync(join(ROOT, "test/server/alerts/cases.yaml"), "utf8") + readFileSync(join(ROOT, "test/server/alerts/weeks.yaml"), "utf8");
    const fired = [...tried.matchAll(/alertname: (\w+)\n +exp_alerts: \[\{|alertname="(\w+)",alertstate="firing"/g)].map(
      ([, first, second]) => first ?? second,
    );
    expect([...new Set(fired)].sort()).toEqual(
      rules()
        .map(({ alert }) => alert)
        .sort(),
    );
  });

  it("speak only of metrics and labels that there are", async () => {
    const text = `${await new Metrics().render()}${await new Metrics(CONSUMER_METRICS).render()}`;
    for (const { expr } of rules()) expectKnown(expr, text);
  });
});

describe("the dashboard", () => {
  it("speaks only of metrics and labels that there are", async () => {
    const text = await new Metrics().render();
    const { queries, variables } = dashboard();
    expect(queries.length).toBeGreaterThan(25);
    for (const expr of [...queries, ...variables]) expectKnown(expr, text);
  });

  it("shows every metric of ours but those that only the log can explain", () => {
    const shown = new Set([...dashboard().queries, ...dashboard().variables, ...rules().map(({ expr }) => expr)].flatMap((expr) => uses(expr).names));
    const missing = Object.values(METRICS).filter(({ name }) => !shown.has(name));
    expect(missing.map(({ name }) => name)).toMatchInlineSnapshot(`
      [
        "deadwax_records_written_total",
        "deadwax_records_unknown_ids_total",
        "deadwax_compressed_bytes_total",
        "deadwax_checkpoints_total",
        "deadwax_files_completed_total",
        "deadwax_triggers_total",
        "deadwax_rate_limited_seconds_total",
        "deadwax_http_connections_evicted_total",
      ]
    `);
  });

  it("has panels that do not overlap, each with an id of its own", () => {
    const { panels } = dashboard();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [index, { gridPos: a, title }] of panels.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24);
      for (const { gridPos: b } of panels.slice(index + 1)) {
        expect(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y, title).toBe(true);
      }
    }
  });
});

/** Every name is one that a scrape shows, and every value of a label is one that the label can have. */
function expectKnown(expr: string, scraped: string): void {
  const { names, labels } = uses(expr);
  expect(names.length, expr).toBeGreaterThan(0);
  for (const name of names) expect(scraped, expr).toMatch(new RegExp(`^# TYPE ${name} `, "m"));
  for (const [label, values] of labels.filter(([, value]) => !value.startsWith("$"))) {
    const known: readonly string[] = LABELS[label as LabelName] ?? [];
    for (const value of values.split("|")) expect(known, expr).toContain(value);
  }
}

describe("a real Prometheus", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "deadwax-prometheus-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("scrapes the server as it is, and takes every query of the dashboard and every rule", { timeout: 3 * READY_MS }, async () => {
    await using served = await serve();
    const port = await freePort();
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [ALERTS],
      scrape_configs: [{ job_name: "deadwax", static_configs: [{ targets: [`127.0.0.1:${served.port}`] }] }],
    };
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
    const options = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`];
    // setpriv: the kernel ends it when the test ends, however it does
    const prometheus = spawn("setpriv", ["--pdeathsig=KILL", "prometheus", ...options], { stdio: "ignore" });
    try {
      const query = async (expr: string): Promise<{ status: string; error?: string; data?: { result: { value: [number, string] }[] } }> =>
        JSON.parse((await ask(port, `/api/v1/query?query=${encodeURIComponent(expr)}`)).body);
      const up = async () => (await query('up{job="deadwax"}')).data?.result[0]?.value[1];
      await expect.poll(() => up().catch(() => undefined), { timeout: READY_MS, interval: 100 }).toBe("1");
      for (const expr of dashboard().queries) {
        const filled = expr.replaceAll("$__rate_interval", "1m").replaceAll("$job", ".*").replaceAll("$instance", ".*");
        expect(await query(filled), expr).toMatchObject({ status: "success" });
      }
      expect((await query("sum by (type) (deadwax_records_read_total)")).data?.result).toHaveLength(4);
      const { data } = JSON.parse((await ask(port, "/api/v1/rules")).body);
      const found: { name: string; lastError?: string }[] = data.groups.flatMap((group: { rules: object[] }) => group.rules);
      expect(found.map(({ name, lastError = "" }) => name + lastError).sort()).toEqual(
        rules()
          .map(({ alert }) => alert)
          .sort(),
      );
    } finally {
      prometheus.kill("SIGKILL");
      await once(prometheus, "exit");
    }
  });
});
