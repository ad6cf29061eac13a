/** The durable steps at which tests make a run fail, in the order of a run. */
export const FAULT_POINTS = [
  "download-synced",
  "download-renamed",
  "metadata-saved",
  "marker-written",
  "marker-renamed",
  "message-confirmed",
  "portion-stored",
  "portion-committed",
  "ledger-synced",
  "sink-synced",
  "file-announced",
  "file-saved",
  "tombstones-synced",
  "generation-written",
  "state-stored",
  "state-committed",
  "index-moved",
  "version-announced",
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];
