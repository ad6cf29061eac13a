import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { Contract } from "../../src/model.ts";
import { auditedDatabase } from "../postgres/scene.ts";
import type { Database } from "../services/database.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { postgresVariables, TableWriter } from "./program.ts";

const START_MS = 300_000;

/** Where a table writer works: a virtual host of the file that opens the scene, and a database of each of its tests. */
export class TableScene {
  #host: VirtualHost | null = null;
  #database: Database | null = null;

  /** Has the hooks of the file make, empty and remove both. */
  static ofFile(): TableScene {
    const scene = new TableScene();
    beforeAll(async () => {
      scene.#host = await VirtualHost.create(await sharedBroker());
    }, START_MS);
    beforeEach(async () => {
      scene.#database = await auditedDatabase();
    }, START_MS);
    afterEach(async () => {
      await scene.host.empty();
      await scene.database[Symbol.asyncDispose]();
    });
    afterAll(() => scene.host[Symbol.asyncDispose]());
    return scene;
  }

  get host(): VirtualHost {
    if (this.#host === null) throw new Error("the virtual host is made before the first test");
    return this.#host;
  }

  get database(): Database {
    if (this.#database === null) throw new Error("the database is made before each test");
    return this.#database;
  }

  /** The variables of the table writer. The virtual host is not `/`, so that fanout names its broker by a URL too. */
  variables(contract: Contract): Record<string, string> {
    return { ...postgresVariables(this.database.url), AMQP_CONNECTION: this.host.url(), DEADWAX_CONTRACT: contract };
  }

  /** Starts a table writer, and waits until it is healthy. */
  async start(contract: Contract, env: Readonly<Record<string, string>> = {}): Promise<TableWriter> {
    const writer = new TableWriter({ ...this.variables(contract), ...env });
    await writer.isHealthy(200);
    return writer;
  }

  /** Starts one, and waits until it takes tombstones too. */
  async startForChanges(contract: Contract): Promise<TableWriter> {
    const writer = await this.start(contract);
    await writer.says(/Consuming \S+-tableinator-changes/);
    return writer;
  }
}
