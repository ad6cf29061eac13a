/** What every worker thread is handed once. */
export interface WorkerData {
  /** All slots, one after another; never copied between threads. */
  readonly memory: SharedArrayBuffer;
  readonly slotBytes: number;
  readonly slots: number;
  /** One number: the threads that have loaded all they need and wait for tasks. */
  readonly ready: Int32Array<SharedArrayBuffer>;
}

/** One unit of work of a worker thread. */
export type WorkerTask =
  /** Pull the next piece of an open source into a slot. */
  | { readonly kind: "pull"; readonly handle: number; readonly slot: number }
  /** Verify about so many more compressed bytes. */
  | { readonly kind: "verify"; readonly handle: number; readonly bytes: number };
