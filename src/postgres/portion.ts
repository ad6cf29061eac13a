import { startOf } from "../model.ts";

/** Bodies that are stored in one transaction: one after another, each followed by one LF, with the end of each without it. */
export interface Portion {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

const LF = 10;

/** Gathers bodies until they are enough for a transaction. Their bytes are copied, since whoever brings them uses the memory again. */
export class PortionBuilder {
  readonly #bytesMax: number;
  readonly #recordsMax: number;
  readonly #pieces: Uint8Array[] = [];
  readonly #ends: number[] = [];
  #bytes = 0;

  constructor(bytesMax: number, recordsMax: number) {
    this.#bytesMax = bytesMax;
    this.#recordsMax = recordsMax;
  }

  get records(): number {
    return this.#ends.length;
  }

  /** Enough is gathered; what is larger than the limit by itself goes alone. */
  get isFull(): boolean {
    return this.#bytes >= this.#bytesMax || this.#ends.length >= this.#recordsMax;
  }

  /** Takes bodies of a portion, from the one at `from` on, until it is full; returns the first that it did not take. */
  take({ bytes, ends }: Portion, from: number): number {
    const first = startOf(ends, from);
    let to = from;
    const shift = this.#bytes - first;
    for (; to < ends.length && !this.isFull; to += 1) {
      const end = ends[to] ?? 0;
      this.#ends.push(end + shift);
      this.#bytes = end + 1 + shift;
    }
    if (to > from) this.#pieces.push(bytes.slice(first, startOf(ends, to)));
    return to;
  }

  /** Takes one body that has no LF behind it. */
  takeOne(body: Uint8Array): void {
    this.#pieces.push(body, Uint8Array.of(LF));
    this.#ends.push(this.#bytes + body.length);
    this.#bytes += body.length + 1;
  }

  /** What was gathered. */
  build(): Portion {
    return { bytes: this.#pieces.length === 1 ? (this.#pieces[0] ?? new Uint8Array()) : Buffer.concat(this.#pieces), ends: Uint32Array.from(this.#ends) };
  }
}
