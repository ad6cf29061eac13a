import { isUtf8 } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
import { inspect } from "node:util";

const PASSWORD_IN_AUTHORITY = /^([a-z][a-z0-9+.-]*:\/\/[^:@/]*):.*@/is;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const SECRET_IN_QUERY = /([?&][^=&#]*(?:password|passwd|pwd|secret|token|key)[^=&#]*=)[^&#]*/gi;
const HIDDEN = "***";
/** No password is longer; whoever names a dump by mistake gets an error and not its bytes. */
const SECRET_FILE_BYTES_MAX = 64 * 2 ** 10;

/** A URL as it may be printed: passwords become `***`. Greedy, because a password may hold an unescaped `/` or `@`. */
export function hideSecrets(url: string): string {
  return url.replace(PASSWORD_IN_AUTHORITY, `$1:${HIDDEN}@`).replace(SECRET_IN_QUERY, `$1${HIDDEN}`);
}

/** Text that was refused as it may be printed: of what looks like a URL, or a part of one, only what surely is no password. */
export function hideRefused(text: string): string {
  if (PASSWORD_IN_AUTHORITY.test(text)) return hideSecrets(text);
  const [scheme = ""] = SCHEME.exec(text) ?? [];
  return scheme === "" && !text.includes("@") ? text : scheme + HIDDEN;
}

/** Text that shows itself only where it is asked to by name. */
export class Secret {
  readonly #text: string;
  readonly #shown: string;

  /** `shown` is what stands for it in print. */
  constructor(text: string, shown: string = HIDDEN) {
    this.#text = text;
    this.#shown = shown;
  }

  /** A URL, of which only the passwords are secret. */
  static url(url: string): Secret {
    return new Secret(url, hideSecrets(url));
  }

  /** The text itself; never to be printed. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return this.#shown;
  }

  toJSON(): string {
    return this.#shown;
  }

  [inspect.custom](): string {
    return this.#shown;
  }
}

/** The secret in a file, blanks around it trimmed; throws what the system throws, or a RangeError if the file holds something else. */
export function readSecretFile(path: string): string {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(SECRET_FILE_BYTES_MAX + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) read = readSync(file, bytes, length, bytes.length - length, null);
    if (length > SECRET_FILE_BYTES_MAX) throw new RangeError(`it is larger than ${SECRET_FILE_BYTES_MAX} bytes`);
    const text = bytes.subarray(0, length);
    if (!isUtf8(text)) throw new RangeError("it is not UTF-8");
    return text.toString().trim();
  } finally {
    closeSync(file);
  }
}
