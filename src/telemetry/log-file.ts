import { createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "./clock.ts";

/** Lines that wait for the disk; more are left out. */
const BUFFER_BYTES_MAX = 2 ** 20;
/** A file that could not be written is tried again after so long. */
const REOPEN_AFTER_MS = 60_000;

/** A log file that is appended to. What goes wrong with it is told once an outage and stops nothing. */
export class LogFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #tell: (message: string) => void;
  #stream: WriteStream | null = null;
  #reopenAt = -Infinity;
  #lost = 0;
  #isOut = false;

  /** `tell`: where the one warning of an outage goes, and the line at its end. */
  constructor(path: string, clock: Clock, tell: (message: string) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#tell = tell;
  }

  /** `line` ends in LF. */
  write(line: string): void {
    const stream = this.#stream ?? this.#open();
    if (stream === null || stream.writableLength > BUFFER_BYTES_MAX) {
      this.#lost += 1;
      if (stream !== null) this.#out("the disk does not keep up");
      return;
    }
    stream.write(line, (error) => {
      if (error !== null && error !== undefined) this.#lost += 1;
      else if (this.#isOut) this.#back();
    });
  }

  #open(): WriteStream | null {
    if (this.#clock.now() < this.#reopenAt) return null;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
    } catch {
      // opening tells why
    }
    const stream = createWriteStream(this.#path, { flags: "a" });
    stream.on("error", (error) => {
      if (this.#stream === stream) this.#stream = null;
      this.#reopenAt = this.#clock.now() + REOPEN_AFTER_MS;
      this.#out(error.message);
    });
    this.#stream = stream;
    return stream;
  }

  #out(reason: string): void {
    if (this.#isOut) return;
    this.#isOut = true;
    this.#tell(`⚠️ Log file ${this.#path} cannot be written: ${reason}; going on without it`);
  }

  #back(): void {
    this.#isOut = false;
    const lost = this.#lost;
    this.#lost = 0;
    this.#tell(`🔄 Log file ${this.#path} is written again; ${lost} ${lost === 1 ? "line is" : "lines are"} missing in it`);
  }
}
