import type { Message } from "./message.ts";

/**
 * Holds the broker's answers until they can be believed. A returned message is acked too, behind its return; but the client tells of the
 * ack at once, and of the return in the next turn of the event loop. So an answer is ripe one whole turn after it came.
 */
export class Answers {
  readonly #onRipe: (messages: readonly Message[]) => void;
  /** Come since the last turn, and in the turn before that. */
  #fresh: Message[] = [];
  #ripening: Message[] = [];
  #scheduled = false;

  constructor(onRipe: (messages: readonly Message[]) => void) {
    this.#onRipe = onRipe;
  }

  /** A message was answered. */
  add(message: Message): void {
    this.#fresh.push(message);
    this.#schedule();
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
