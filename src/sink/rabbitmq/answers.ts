import type { Message } from "./message.ts";

/** What the broker said of one sending; kept with the answer, since the message may have been sent again meanwhile. */
export interface Answer {
  readonly message: Message;
  readonly nacked: boolean;
}

/**
 * Holds the broker's answers until they can be believed. A returned message is acked too, behind its return; but the client tells of the
 * ack at once, and of the return in the next turn of the event loop. So an answer is ripe one whole turn after it came.
 */
export class Answers {
  readonly #onRipe: (answers: readonly Answer[]) => void;
  /** Come since the last turn, and in the turn before that. */
  #fresh: Answer[] = [];
  #ripening: Answer[] = [];
  #scheduled = false;

  constructor(onRipe: (answers: readonly Answer[]) => void) {
    this.#onRipe = onRipe;
  }

  /** A message was answered. */
  add(answer: Answer): void {
    this.#fresh.push(answer);
    this.#schedule();
  }

  /** Forgets those that are not ripe. */
  clear(): void {
    this.#fresh = [];
    this.#ripening = [];
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const ripe = this.#ripening;
      this.#ripening = this.#fresh;
      this.#fresh = [];
      if (this.#ripening.length > 0) this.#schedule();
      if (ripe.length > 0) this.#onRipe(ripe);
    });
  }
}
