/** Why a message came back. */
export type ComeBack = "nacked" | "returned";

/** Headers of a message; never changed, since many share them. */
export type Headers = Readonly<Record<string, string>>;

/** One message, held from its first sending to its confirm. */
export class Message {
  readonly id: string;
  readonly body: Buffer;
  readonly headers: Headers | null;
  /** Its place in the order of first sendings. */
  readonly number: number;
  /** How often it has come back. */
  failures = 0;

  constructor(id: string, body: Buffer, headers: Headers | null, number: number) {
    this.id = id;
    this.body = body;
    this.headers = headers;
    this.number = number;
  }
}
