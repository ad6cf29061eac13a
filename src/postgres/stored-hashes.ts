import type { DataType } from "../model.ts";
import type { PostgresConfig } from "./config.ts";
import { connect, disconnect, type PostgresClient, quoteName } from "./connect.ts";
import { hasSchema } from "./database.ts";
import { postgresFailure } from "./failures.ts";

const ROWS_AT_ONCE = 20_000;
/** Hexadecimal digits of a hash that a record index keeps. */
const HASH_DIGITS = 32;
const CURSOR = "deadwax_stored";

/** Rows of a table: ids and the first digits of their hashes, in lower case. */
export type StoredHashes = readonly (readonly [id: string, hash: string | null])[];

/** What the tables of a database hold, as of one moment; tables that are not there are left out. */
export class StoredRecords implements AsyncDisposable {
  readonly #client: PostgresClient;
  readonly #config: PostgresConfig;
  readonly dataTypes: readonly DataType[];

  private constructor(client: PostgresClient, config: PostgresConfig, dataTypes: readonly DataType[]) {
    this.#client = client;
    this.#config = config;
    this.dataTypes = dataTypes;
  }

  /** Throws SINK_UNAVAILABLE if the database cannot be read. */
  static async open(config: PostgresConfig, wanted: readonly DataType[]): Promise<StoredRecords> {
    const client = await connect(config).catch((error: unknown) => {
      throw postgresFailure(config.name, "connecting", error);
    });
    try {
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      const tables = (await hasSchema(client, config.schema)) ? await tablesOf(client, config.schema) : [];
      return new StoredRecords(
        client,
        config,
        wanted.filter((dataType) => tables.includes(dataType)),
      );
    } catch (error) {
      await disconnect(client);
      throw postgresFailure(config.name, "reading the catalogue", error);
    }
  }

  /** The rows of one table, in no order. */
  async *rows(dataType: DataType): AsyncGenerator<StoredHashes> {
    const table = `${quoteName(this.#config.schema)}.${quoteName(dataType)}`;
    try {
      await this.#client.query(`DECLARE ${CURSOR} NO SCROLL CURSOR FOR SELECT data_id, lower(left(hash, ${HASH_DIGITS})) FROM ${table}`);
      for (;;) {
        const { rows } = await this.#client.query<[string, string | null]>({ text: `FETCH ${ROWS_AT_ONCE} FROM ${CURSOR}`, rowMode: "array" });
        if (rows.length === 0) break;
        yield rows;
      }
      await this.#client.query(`CLOSE ${CURSOR}`);
    } catch (error) {
      throw postgresFailure(this.#config.name, `reading ${dataType}`, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disconnect(this.#client);
  }
}

async function tablesOf(client: PostgresClient, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class JOIN pg_namespace AS space ON space.oid = relnamespace WHERE nspname = $1 AND relkind IN ('r', 'p', 'v', 'm')`,
    [schema],
  );
  return rows.map(({ name }) => name);
}
