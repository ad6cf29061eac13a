import type { ComeBack, Message } from "./message.ts";

/** Waits before a message that came back is sent again; after the last it has failed. All within a second. */
export const RESEND_WAITS_MS = [100, 200, 400] as const;
/** How soon it is asked again whether it is the time. */
const AGAIN_MS = 50;

interface Round {
  readonly waitMs: number;
  messages: Map<Message, ComeBack>;
  timer: NodeJS.Timeout | null;
}

/** Messages that came back and wait to be sent again, those of one wait together. */
export class Resends {
  readonly #send: (messages: ReadonlyMap<Message, ComeBack>) => boolean;
  readonly #rounds: readonly Round[] = RESEND_WAITS_MS.map((waitMs) => ({ waitMs, messages: new Map(), timer: null }));

  /** `send` answers false if it is not the time; then it is asked again. */
  constructor(send: (messages: ReadonlyMap<Message, ComeBack>) => boolean) {
    this.#send = send;
  }

  /** Has a message sent again later; false if it has come back too often. */
  add(message: Message, reason: ComeBack): boolean {
    const round = this.#rounds[message.failures - 1];
    if (round === undefined) return false;
    round.messages.set(message, reason);
    round.timer ??= setTimeout(() => this.#fire(round), round.waitMs);
    return true;
  }

  #fire(round: Round): void {
    if (this.#send(round.messages)) {
      round.timer = null;
      round.messages = new Map();
    } else round.timer = setTimeout(() => this.#fire(round), AGAIN_MS);
  }

  /** Forgets all of them. */
  clear(): void {
    for (const round of this.#rounds) {
      clearTimeout(round.timer ?? undefined);
      round.timer = null;
      round.messages = new Map();
    }
  }
}
