const CLEAR_LINE = "\r\u001b[K";

/** Where text for people goes; a terminal has columns. */
export interface TextOutput {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** Lines of text that scroll, and below them one that is redrawn in place. */
export class Screen {
  readonly #output: TextOutput;
  #bar = "";

  constructor(output: TextOutput) {
    this.#output = output;
  }

  get columns(): number {
    return this.#output.columns ?? 80;
  }

  line(text: string): void {
    this.#output.write(this.#bar === "" ? `${text}\n` : `${CLEAR_LINE}${text}\n${this.#bar}`);
  }

  drawBar(text: string): void {
    this.#bar = text;
    this.#output.write(CLEAR_LINE + text);
  }

  clearBar(): void {
    if (this.#bar === "") return;
    this.#bar = "";
    this.#output.write(CLEAR_LINE);
  }
}
