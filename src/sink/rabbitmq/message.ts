/** Why a message came back. */
export type ComeBack = "nacked" | "returned";

/** One message, held from its first sending to its confirm. */
export class Message {
  readonly id: string;
  readonly body: Buffer;
  /** Its place in the order of first sendings. */
  readonly number: number;
  /** How often it has come back. */
  failures = 0;

  constructor(id: string, body: Buffer, number: number) {
    this.id = id;
    this.body = body;
    this.number = number;
  }
}
