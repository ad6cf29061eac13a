import { setTimeout as sleep } from "node:timers/promises";
import type { SinkEvents } from "../../src/sink/sink.ts";

const POLL_MS = 10;

/** Keeps what a sink tells. */
export class RecordedEvents implements SinkEvents {
  /** What was said of the connection. */
  readonly heard: string[] = [];
  readonly notes: string[] = [];
  confirmedMessages = 0;
  confirmedBytes = 0;
  confirmedCalls = 0;
  readonly resentMessages = { nacked: 0, returned: 0, reconnected: 0 };

  lost(reason: string): void {
    this.heard.push(`lost: ${reason}`);
  }

  reconnecting(reason: string, attempt: number, waitMs: number): void {
    this.heard.push(`reconnecting ${attempt}: ${reason} (${waitMs})`);
  }

  connected(): void {
    this.heard.push("connected");
  }

  blocked(reason: string): void {
    this.heard.push(`blocked: ${reason}`);
  }

  unblocked(): void {
    this.heard.push("unblocked");
  }

  resent(messages: number, reason: "nacked" | "returned" | "reconnected"): void {
    this.resentMessages[reason] += messages;
  }

  confirmed(messages: number, bytes: number): void {
    this.confirmedMessages += messages;
    this.confirmedBytes += bytes;
    this.confirmedCalls += 1;
  }

  told(text: string): void {
    this.notes.push(text);
  }

  warned(text: string): void {
    this.notes.push(`warning: ${text}`);
  }

  /** How often something was told that begins so. */
  count(start: string): number {
    return this.heard.filter((line) => line.startsWith(start)).length;
  }
}

/** Resolves once the condition holds; the test's time limit is the limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(POLL_MS);
}
