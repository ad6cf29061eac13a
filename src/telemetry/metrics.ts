import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { ALL_METRICS, LABELS, type LabelName, type LabelValue, METRICS, type MetricKey, type MetricTable } from "./metric-names.ts";

/** Gauges of Node that Prometheus finds fault with: they are named like counters. */
const MISNAMED = ["nodejs_active_resources_total", "nodejs_active_handles_total", "nodejs_active_requests_total"];

type KeyOf<Kind> = { [K in MetricKey]: (typeof ALL_METRICS)[K]["kind"] extends Kind ? K : never }[MetricKey];
export type CounterKey = KeyOf<"counter">;
export type GaugeKey = KeyOf<"gauge">;

/** Values for the labels of one metric. */
export type Labels<K extends MetricKey> = { readonly [L in (typeof ALL_METRICS)[K]["labels"][number]]: LabelValue<L> };

/** The numbers of one process, and of its Node, as Prometheus reads them. One instance, one registry. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricKey, Counter>();
  readonly #gauges = new Map<MetricKey, Gauge>();
  readonly #refreshers: (() => void)[] = [];

  /** `table`: those of the process; what is counted beside them counts for nothing. */
  constructor(table: MetricTable = METRICS) {
    for (const key of Object.keys(table) as MetricKey[]) this.#register(key);
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** Content type of {@link render}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  count<K extends CounterKey>(key: K, labels: Labels<K>, by = 1): void {
    this.#counters.get(key)?.inc(labels, by);
  }

  set<K extends GaugeKey>(key: K, labels: Labels<K>, value: number): void {
    this.#gauges.get(key)?.set(labels, value);
  }

  /** Takes the sample away: nothing is known any more. */
  unset<K extends GaugeKey>(key: K, labels: Labels<K>): void {
    this.#gauges.get(key)?.remove(labels);
  }

  /** Of a state that one of several values names: 1 for that, 0 for the others. */
  choose<K extends GaugeKey>(key: K, label: (typeof ALL_METRICS)[K]["labels"][number] & LabelName, chosen: string): void {
    for (const value of LABELS[label] ?? []) this.#gauges.get(key)?.set({ [label]: value }, value === chosen ? 1 : 0);
  }

  /** Asks for `refresh` before each {@link render}, for gauges that nothing reports by itself. */
  onRender(refresh: () => void): void {
    this.#refreshers.push(refresh);
  }

  /** Everything in the text format of Prometheus. */
  async render(): Promise<string> {
    for (const refresh of this.#refreshers) refresh();
    return await this.#registry.metrics();
  }

  /** Series whose labels are known beforehand start at 0, or a first increase from nothing would be no increase to Prometheus. */
  #register(key: MetricKey): void {
    const { kind, name, labels, help, late } = ALL_METRICS[key];
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (kind === "counter") {
      const counter = new Counter(options);
      for (const values of combinations(labels)) counter.inc(values, 0);
      this.#counters.set(key, counter);
    } else {
      const gauge = new Gauge(options);
      this.#gauges.set(key, gauge);
      if (late) gauge.remove({});
      else for (const values of combinations(labels)) gauge.set(values, 0);
    }
  }
}

/** Every combination of the values that the labels can have; none where a label is free. */
function combinations(labels: readonly LabelName[]): Record<string, string>[] {
  return labels.reduce<Record<string, string>[]>(
    (sofar, label) => (LABELS[label] ?? []).flatMap((value) => sofar.map((values) => ({ ...values, [label]: value }))),
    [{}],
  );
}
