import { fileVariable, type OptionTable, variablesOf } from "./option.ts";
import { POSTGRES_OPTIONS } from "./postgres-options.ts";
import type { Resolved } from "./resolve.ts";
import { Secret } from "./secrets.ts";

type PostgresTable = typeof POSTGRES_OPTIONS;
const REQUIRED = ["postgresHost", "postgresUsername", "postgresPassword", "postgresDatabase"] as const;

/** The variables that are not set though no database can be told without them, on one line; null: none. */
export function missingPostgres({ values, origins }: Resolved<PostgresTable>): string | null {
  const missing = REQUIRED.filter((key) => values[key] === null && origins[key] === "default");
  return missing.length === 0 ? null : `not set: ${missing.map(namesOf).join(", ")}`;
}

/** Whether any of what tells a database is set. */
export function namesPostgres({ origins }: Resolved<PostgresTable>): boolean {
  return REQUIRED.some((key) => origins[key] !== "default");
}

/** The URL of the database that sound settings tell, for `parsePostgresUrl`. */
export function postgresUrl({ values }: Resolved<PostgresTable>): Secret {
  const { postgresHost: host, postgresPort: port, postgresUsername: user, postgresPassword: password, postgresDatabase: database } = values;
  const url = new URL("postgres://host/");
  // Not by the setters, which leave some characters as they are.
  const authority = `${encode(user ?? "")}:${encode(password ?? "")}@${/:\d+$/.test(host ?? "") ? host : `${host}:${port}`}`;
  url.searchParams.set("schema", values.postgresSchema);
  url.searchParams.set("sslmode", values.postgresSslmode);
  if (values.postgresSslrootcert !== null) url.searchParams.set("sslrootcert", values.postgresSslrootcert);
  return Secret.url(`postgres://${authority}/${encode(database ?? "")}${url.search}`);
}

function namesOf(key: (typeof REQUIRED)[number]): string {
  const option: OptionTable[string] = POSTGRES_OPTIONS[key];
  const names = variablesOf(key, option).map(({ name }) => name);
  return [...names, ...(option.inFile === true ? names.map(fileVariable) : [])].join(" or ");
}

/** Percent-encodes everything but the unreserved characters of RFC 3986. */
function encode(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
