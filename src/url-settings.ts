/** The query of a URL, read key by key; what is left over in the end is unknown. What is wrong is gathered, so that all of it is told at once. */
export class UrlSettings {
  readonly #given: URLSearchParams;
  readonly #problems: string[];
  readonly #known = new Set<string>();

  /** Adds what is wrong to `problems`, never with a value that may be a secret of an unknown key. */
  constructor(given: URLSearchParams, problems: string[]) {
    this.#given = given;
    this.#problems = problems;
  }

  text(key: string): string | null {
    this.#known.add(key);
    const [value, ...more] = this.#given.getAll(key);
    if (more.length > 0) this.#problems.push(`the setting "${key}" is given twice`);
    if (value === "") this.#problems.push(`${key} is empty`);
    return value ?? null;
  }

  word<T extends string>(key: string, words: readonly T[], fallback: T): T {
    const value = this.text(key) ?? fallback;
    const word = words.find((one) => one === value);
    if (word === undefined) this.#problems.push(`${key}=${value} is not one of ${words.join(", ")}`);
    return word ?? fallback;
  }

  count(key: string, fallback: number, min: number, max: number): number {
    const value = this.text(key) ?? String(fallback);
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    this.#problems.push(`${key}=${value} is not a whole number from ${min} to ${max}`);
    return fallback;
  }

  share(key: string, fallback: number): number {
    const value = this.text(key) ?? String(fallback);
    const number = /^(0|1|[01]?\.\d{1,9})$/.test(value) ? Number(value) : Number.NaN;
    if (number >= 0 && number <= 1) return number;
    this.#problems.push(`${key}=${value} is not a share from 0 to 1`);
    return fallback;
  }

  /** Refuses every key that nobody has read; `ignored` ones may be there, `unusable` ones are known but not for this URL. */
  refuseRest({ ignored = [], unusable = null }: RestRules = {}): void {
    for (const key of new Set(this.#given.keys())) {
      if (this.#known.has(key) || ignored.includes(key)) continue;
      const shown = /^[\w.-]{1,40}$/.test(key) ? `"${key}"` : "of another name";
      if (unusable?.keys.includes(key)) this.#problems.push(`the setting ${shown} ${unusable.reason}`);
      else this.#problems.push(`unknown setting ${shown}: known are ${[...this.#known].join(", ")}`);
    }
  }
}

interface RestRules {
  readonly ignored?: readonly string[];
  readonly unusable?: { readonly keys: readonly string[]; readonly reason: string } | null;
}
