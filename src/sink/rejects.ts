import { join } from "node:path";
import type { DataType, RejectedRecord } from "../model.ts";
import { LineLog } from "./line-log.ts";

/** Where the rejects of one target go, and how many bytes of them a checkpoint vouches for. */
export interface RejectPlace {
  readonly folder: string;
  readonly dataType: DataType;
  /** `rejectBytes` of the checkpoint, or 0 to start afresh. */
  readonly bytes: number;
}

/** `<type>.rejects.ndjson`: the records that could not be delivered, one JSON object a line. */
export class RejectLog implements AsyncDisposable {
  readonly #log: LineLog;

  private constructor(log: LineLog) {
    this.#log = log;
  }

  /** Opens the log, dropping what lies behind `place.bytes`; throws a `PositionLostError` if they are not there. */
  static async open({ folder, dataType, bytes }: RejectPlace): Promise<RejectLog> {
    return new RejectLog(await LineLog.open(join(folder, `${dataType}.rejects.ndjson`), bytes));
  }

  get path(): string {
    return this.#log.path;
  }

  /** Bytes accepted so far. */
  get bytes(): number {
    return this.#log.bytes;
  }

  /** Appends rejects in order; not to be called again before it is settled. */
  async append(rejects: readonly RejectedRecord[]): Promise<void> {
    if (rejects.length === 0) return;
    const lines = rejects.map(({ offset, id, kind, message, raw }) => JSON.stringify({ offset, id, kind, message, raw }));
    await this.#log.append(Buffer.from(`${lines.join("\n")}\n`));
  }

  /** Makes durable what was accepted when it was called, and gives its length for the checkpoint. */
  sync(): Promise<number> {
    return this.#log.sync();
  }

  /** The target is complete: makes the rejects durable and closes them; without any there is no file. */
  finish(): Promise<void> {
    return this.#log.finish();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#log[Symbol.asyncDispose]();
  }
}
