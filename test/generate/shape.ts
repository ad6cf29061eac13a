/** Shares of the population, in percent, that the tables of the profile give and that are checked here. */
export const SHARES = [5, 25, 50, 75, 90, 95] as const;

/** Mean and quantiles of one measure. */
export interface Spread {
  readonly mean: number;
  readonly quantiles: readonly number[];
}

/** What the records of a dump look like. */
export interface Shape {
  readonly records: number;
  readonly bytes: Spread;
  readonly elements: Spread;
  readonly depth: Spread;
  /** Share of the records with that depth, from 0 to 1. */
  readonly depthShares: ReadonlyMap<number, number>;
}

const TAG = /<(\/?)[A-Za-z_0-9]+[^>]*?(\/?)>/g;

function spread(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor((share / 100) * sorted.length))] ?? 0;
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length, quantiles: SHARES.map(at) };
}

function nesting(record: string): { elements: number; depth: number } {
  let elements = 0;
  let open = 0;
  let depth = 0;
  for (const [, closing, empty] of record.matchAll(TAG)) {
    if (closing === "/") {
      open -= 1;
      continue;
    }
    elements += 1;
    depth = Math.max(depth, open + 1);
    if (empty === "") open += 1;
  }
  if (open !== 0) throw new Error(`tags do not match in ${record.slice(0, 200)}`);
  return { elements, depth };
}

/** Measures a dump in the byte form of the real ones, where a record starts on a line of its own. */
export function shapeOf(xml: Buffer, root: string): Shape {
  const name = root.slice(0, -1);
  // One character a byte, so that lengths are bytes.
  const records = xml
    .toString("latin1")
    .split(new RegExp(`\\n(?=<${name}[ >]|</${root}>)`))
    .slice(1, -1);
  const found = records.map(nesting);
  const depths = found.map((record) => record.depth);
  const depthShares = new Map<number, number>();
  for (const depth of depths) depthShares.set(depth, (depthShares.get(depth) ?? 0) + 1 / depths.length);
  return {
    records: records.length,
    bytes: spread(records.map((record) => record.length)),
    elements: spread(found.map((record) => record.elements)),
    depth: spread(depths),
    depthShares,
  };
}
