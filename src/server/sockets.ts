import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { LIMITS } from "./limits.ts";

/** Of a connection that has had an answer: it is no newcomer. */
const SERVED = -Infinity;

/**
 * Keeps the number of connections bounded without ever refusing a new one: beyond the limit those that have been idle for longest are
 * closed. Idle is a connection without a whole request: before the first, between two, or while headers drip in.
 *
 * Many connections can be accepted in one turn of the event loop, before anything is read from any of them. Closing waits until they have
 * been read, or a health check that comes in the midst of a flood would always be among those that are closed.
 */
export class Sockets {
  readonly #onChange: (open: number, evicted: number) => void;
  /** Longest idle first; with the moment of the connection while there has been no request, else `SERVED`. */
  readonly #idle = new Map<Socket, number>();
  /** Longest busy first; with the moment since when they are, and the number of their requests that are not answered yet. */
  readonly #busy = new Map<Socket, { readonly since: number; requests: number }>();
  #isScheduled = false;

  /** `onChange`: told how many are open, and how many of them were just closed to make room. */
  constructor(onChange: (open: number, evicted: number) => void) {
    this.#onChange = onChange;
  }

  get open(): number {
    return this.#idle.size + this.#busy.size;
  }

  add(socket: Socket): void {
    this.#idle.set(socket, performance.now());
    socket.once("close", () => {
      this.#idle.delete(socket);
      this.#busy.delete(socket);
      this.#onChange(this.open, 0);
    });
    if (this.open > LIMITS.socketsBurstMax) this.#makeRoom(LIMITS.socketsBurstMax);
    else if (this.open > LIMITS.socketsMax) this.#makeRoomSoon();
    this.#onChange(this.open, 0);
  }

  requestBegan(socket: Socket): void {
    this.#idle.delete(socket);
    const busy = this.#busy.get(socket);
    if (busy === undefined) this.#busy.set(socket, { since: performance.now(), requests: 1 });
    else busy.requests += 1;
  }

  requestEnded(socket: Socket): void {
    const busy = this.#busy.get(socket);
    if (busy === undefined) return; // closed meanwhile
    busy.requests -= 1;
    if (busy.requests > 0) return;
    this.#busy.delete(socket);
    if (!socket.destroyed) this.#idle.set(socket, SERVED);
  }

  /** Behind the reading of this turn, and of the next: `setImmediate` runs once reading is over, and the newcomers are read for the first time in the turn behind it. */
  #makeRoomSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#isScheduled = false;
        this.#makeRoom(LIMITS.socketsMax);
      }),
    );
  }

  #makeRoom(limit: number): void {
    let evicted = 0;
    while (this.open > limit) {
      const oldest = this.#oldest();
      if (oldest === undefined) break;
      this.#idle.delete(oldest);
      this.#busy.delete(oldest);
      oldest.destroy();
      evicted += 1;
    }
    if (evicted > 0) this.#onChange(this.open, evicted);
  }
  /**
   * The longest idle one. Where that is a newcomer, all idle ones are: then the longest busy one, if its request is as slow as an
   * attacker's, who would otherwise keep everybody out with one byte a second.
   */
  #oldest(): Socket | undefined {
    const now = performance.now();
    const [[idle, cameAt = SERVED] = []] = this.#idle;
    const [[busy, { since } = { since: now }] = []] = this.#busy;
    const isSlow = now - since >= LIMITS.graceMs;
    const isNewcomer = now - cameAt < LIMITS.graceMs;
    return idle === undefined || (isNewcomer && isSlow) ? (busy ?? idle) : idle;
  }
}
