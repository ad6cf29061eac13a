import { startOf } from "../../model.ts";

/** Bytes of bodies that are taken, and copied, at a time: a copy is held until the last of its messages is confirmed. */
const PORTION_BYTES = 2 ** 20;

/** How much may be unconfirmed at a time, by messages and by bytes, for all writers of a sink together. */
export class Window {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #messages = 0;
  #bytes = 0;
  /** Whoever waits for room, in order: a large body is not passed over for ever by small ones. */
  readonly #queue: object[] = [];

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  /** Bodies and their bytes that are unconfirmed. */
  get used(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /** Gets in line. */
  enqueue(who: object): void {
    this.#queue.push(who);
  }

  /** Leaves the line, with or without room. */
  leave(who: object): void {
    const at = this.#queue.indexOf(who);
    if (at !== -1) this.#queue.splice(at, 1);
  }

  /**
   * Takes room for as many of the bodies from `from` on as there is, if it is `who`'s turn; the index behind the last, or `from` if there
   * is none. A body larger than the whole window is taken once the window is empty. `ends` as in a batch.
   */
  take(who: object, ends: Uint32Array, from: number): number {
    if (this.#queue[0] !== who) return from;
    const start = startOf(ends, from);
    let to = from;
    let bytes = 0;
    while (to < ends.length && this.#messages + to - from < this.#messagesMax) {
      const end = ends[to] ?? 0;
      const size = end - startOf(ends, to);
      const fits = this.#bytes + bytes + size <= this.#bytesMax || (this.#messages === 0 && to === from);
      if (!fits || (to > from && end - start > PORTION_BYTES)) break;
      bytes += size;
      to += 1;
    }
    this.#messages += to - from;
    this.#bytes += bytes;
    return to;
  }

  /** Gives back room. */
  give(messages: number, bytes: number): void {
    this.#messages -= messages;
    this.#bytes -= bytes;
  }
}
