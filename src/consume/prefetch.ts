import assert from "node:assert/strict";

const PREFETCH_MIN = 200;
/** What the protocol can say. */
const PREFETCH_MAX = 65_535;
/** The largest batch that can fill while another one is committed. */
export const BATCH_SIZE_MAX = Math.floor(PREFETCH_MAX / 2);

/** Messages that a queue may have unacknowledged: one batch that is being committed, and one that gathers. */
export function prefetchOf(batchSize: number): number {
  const prefetch = Math.max(PREFETCH_MIN, 2 * batchSize);
  assert(batchSize >= 1 && prefetch >= 2 * batchSize && prefetch <= PREFETCH_MAX, `no prefetch for batches of ${batchSize}`);
  return prefetch;
}
