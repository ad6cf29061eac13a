import { createHash } from "node:crypto";
import { isDeadLettered } from "../rabbitmq/topology.ts";
import type { Content } from "./content.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { ConsumeEvents } from "./events.ts";
import type { QueueOptions } from "./queue-options.ts";
import type { Received, Subscription } from "./subscription.ts";

/** Messages published to the dead letters that are remembered, in case that their acknowledgement did not arrive. */
const MOVED_MAX = 1_000;

/** A message with which nothing is to be done any more but to tell the broker. */
export interface Settled extends Received {
  readonly content: Content;
}

/** What the broker is told by; a subscription. */
export type Teller = Pick<Subscription, "queue" | "lost" | "ackUpTo" | "refuse">;

/** What becomes of a refused message: `kept` still has to be acknowledged, `gone` is settled, `left` comes again. */
type Fate = "kept" | "gone" | "left";

/** Tells the broker of messages: committed and handled ones are acknowledged, refused ones go to the dead letters. */
export class Settlement {
  readonly #options: QueueOptions;
  readonly #events: ConsumeEvents;
  readonly #deadLetters: Pick<DeadLetters, "publish">;
  readonly #ended: AbortSignal;
  /** Messages that were published to the dead letters: if one comes again, its acknowledgement was lost. */
  readonly #moved = new Set<string>();
  /** A message was refused since this was last reset. */
  anyRefused = false;

  constructor(
    options: QueueOptions,
    { events, deadLetters }: { readonly events: ConsumeEvents; readonly deadLetters: Pick<DeadLetters, "publish"> },
    ended: AbortSignal,
  ) {
    this.#options = options;
    this.#events = events;
    this.#deadLetters = deadLetters;
    this.#ended = ended;
  }

  /** Settles a stretch of the queue, before which everything is settled; one acknowledgement for all that is not refused. */
  async settle(subscription: Teller, stretch: readonly Settled[]): Promise<void> {
    let last: number | null = null;
    for (const { content, ...message } of stretch) {
      const fate = content.kind === "refused" ? await this.#refuse(subscription, message, content.reason) : "kept";
      if (fate === "left") break;
      if (fate === "kept") last = message.tag;
    }
    if (last !== null) subscription.ackUpTo(last);
  }

  async #refuse(subscription: Teller, { tag, messageId, headers, body, redelivered }: Received, reason: string): Promise<Fate> {
    if (subscription.lost !== null) return "left";
    const { config, contract, dataType } = this.#options;
    const { queue } = subscription;
    this.anyRefused = true;
    if (isDeadLettered(config, contract)) {
      subscription.refuse(tag);
      this.#events.deadLettered(dataType, { messageId, reason, queue });
      return "gone";
    }
    const key = `${messageId} ${createHash("sha256").update(body).digest("hex")}`;
    if (redelivered && this.#moved.has(key)) return "kept";
    const onDelay = (why: string, waitMs: number) => this.#events.deadLetterDelayed(dataType, why, waitMs);
    try {
      await this.#deadLetters.publish({ queue, body, messageId, headers, reason }, onDelay, this.#ended);
    } catch {
      return "left"; // it is time to end
    }
    this.#remember(key);
    this.#events.deadLettered(dataType, { messageId, reason, queue });
    return "kept";
  }

  #remember(key: string): void {
    this.#moved.add(key);
    const [oldest] = this.#moved;
    if (this.#moved.size > MOVED_MAX && oldest !== undefined) this.#moved.delete(oldest);
  }
}
