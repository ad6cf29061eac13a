import type { Socket } from "node:net";
import { LIMITS } from "./limits.ts";

/**
 * Keeps the number of connections bounded without ever refusing a new one: beyond the limit those that have been idle for longest are
 * closed. Idle is a connection without a whole request: before the first, between two, or while headers drip in.
 *
 * Many connections can be accepted in one turn of the event loop, before anything is read from any of them. Closing waits until they have
 * been read, or a health check that comes in the midst of a flood would always be among those that are closed.
 */
export class Sockets {
  readonly #onChange: (open: number, evicted: number) => void;
  /** In the order in which they became idle. */
  readonly #idle = new Set<Socket>();
  /** With the number of their requests that are not answered yet. */
  readonly #busy = new Map<Socket, number>();
  #isScheduled = false;

  /** `onChange`: told how many are open, and how many of them were just closed to make room. */
  constructor(onChange: (open: number, evicted: number) => void) {
    this.#onChange = onChange;
  }

  get open(): number {
    return this.#idle.size + this.#busy.size;
  }

  add(socket: Socket): void {
    this.#idle.add(socket);
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
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
  }

  requestEnded(socket: Socket): void {
    const requests = this.#busy.get(socket);
    if (requests === undefined) return; // closed meanwhile
    if (requests > 1) this.#busy.set(socket, requests - 1);
    else if (this.#busy.delete(socket) && !socket.destroyed) this.#idle.add(socket);
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
      // Where all are busy, the one that has been so for longest: its request is as slow as those of an attacker.
      const [oldest] = this.#idle.size > 0 ? this.#idle : this.#busy.keys();
      if (oldest === undefined) break;
      this.#idle.delete(oldest);
      this.#busy.delete(oldest);
      oldest.destroy();
      evicted += 1;
    }
    if (evicted > 0) this.#onChange(this.open, evicted);
  }
}
