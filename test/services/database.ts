import { randomBytes } from "node:crypto";
import pg from "pg";
import { askHost } from "./ask-host.ts";
import type { PostgresVersion } from "./postgres.ts";

/** A database of its own for a test file, on a server that all of them share, with a connection to look into it. */
export class Database implements AsyncDisposable {
  readonly name: string;
  /** URL for a sink, without settings. */
  readonly url: string;
  readonly #server: string;
  readonly #client: pg.Client;

  private constructor(server: string, name: string) {
    this.#server = server;
    this.name = name;
    this.url = urlOf(server, name);
    this.#client = new pg.Client({ connectionString: this.url });
    this.#client.on("error", () => {});
  }

  static async create(version: PostgresVersion = "18"): Promise<Database> {
    const { url } = await askHost<{ url: string }>(`/postgres/${version}`);
    return Database.on(url);
  }

  /** On a server of the test's own. */
  static async on(server: string): Promise<Database> {
    const database = new Database(server, `t_${randomBytes(6).toString("hex")}`);
    await database.#administer(`CREATE DATABASE ${database.name}`);
    await database.#client.connect();
    return database;
  }

  /** Its URL for a sink, with settings. */
  with(settings: Readonly<Record<string, string | number>>): string {
    const query = Object.entries(settings).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
    return query.length === 0 ? this.url : `${this.url}?${query.join("&")}`;
  }

  async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#client.query<Row>(text, [...values])).rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end().catch(() => {});
    await this.#administer(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`).catch(() => {}); // its server may be gone
  }

  async #administer(text: string): Promise<void> {
    const client = new pg.Client({ connectionString: urlOf(this.#server, "postgres") });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.query(text);
    } finally {
      await client.end().catch(() => {});
    }
  }
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}
