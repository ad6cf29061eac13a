import { stateFailure } from "./check-state.ts";
import type { PostgresClient } from "./connect.ts";
import type { Session } from "./session.ts";

/** How work goes about the connection. */
interface Turn {
  /** As a rule; then it says nothing of locks. */
  readonly takesLong?: boolean;
  /** Not tried for longer than that. */
  readonly timeoutMs?: number;
}

/** A session that several files of a run share: one piece of work after the other. Its failures are those of the state. */
export class Turns implements AsyncDisposable {
  readonly #session: Session;
  #last: Promise<unknown> = Promise.resolve();

  constructor(session: Session) {
    this.#session = session;
  }

  /** Does some work that may be done twice, once all that was asked for before is done; see {@link Session.run}. */
  async ask<T>(what: string, work: (client: PostgresClient) => Promise<T>, { takesLong = false, timeoutMs }: Turn = {}): Promise<T> {
    const before = this.#last;
    const signal = timeoutMs === undefined ? new AbortController().signal : AbortSignal.timeout(timeoutMs);
    const mine = (async () => {
      await before.catch(() => {}); // whoever asked for that was told
      return await this.#session.run(what, work, signal, takesLong);
    })();
    this.#last = mine;
    try {
      return await mine;
    } catch (error) {
      throw stateFailure(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
