import type { SessionEvents } from "../../postgres/session.ts";
import type { SinkEvents } from "../sink.ts";

/** What the sink tells of its connections together: it is connected once none is lost, and takes records again once none has to wait. */
export class Connections {
  readonly #events: SinkEvents;
  readonly #up = new Set<object>();
  readonly #lost = new Set<object>();
  readonly #blocked = new Set<object>();

  constructor(events: SinkEvents) {
    this.#events = events;
  }

  /** The events of one more connection. */
  next(): SessionEvents {
    const own = {};
    const events = this.#events;
    return {
      lost: (reason) => {
        this.#up.delete(own);
        this.#lost.add(own);
        events.lost(reason);
      },
      reconnecting: (reason, attempt, waitMs) => {
        this.#lost.add(own);
        events.reconnecting(reason, attempt, waitMs);
      },
      connected: () => {
        this.#up.add(own);
        this.#lost.delete(own);
        if (this.#lost.size === 0) events.connected();
      },
      blocked: (reason) => {
        this.#blocked.add(own);
        events.blocked(reason);
      },
      unblocked: () => {
        this.#blocked.delete(own);
        if (this.#blocked.size === 0) events.unblocked();
      },
      closed: () => {
        this.#up.delete(own);
        const wasLost = this.#lost.delete(own);
        if (wasLost && this.#lost.size === 0 && this.#up.size > 0) events.connected();
      },
    };
  }
}
