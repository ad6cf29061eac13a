import { afterAll, beforeAll, expect, test } from "vitest";
import { parsePostgresUrl } from "../../src/postgres/config.ts";
import { Session } from "../../src/postgres/session.ts";
import { Database } from "../services/database.ts";
import { NEVER } from "../sink/batches.ts";
import { RecordedEvents } from "../sink/sink-events.ts";

const START_MS = 300_000;

let database: Database;
beforeAll(async () => {
  database = await Database.create();
}, START_MS);
afterAll(() => database[Symbol.asyncDispose]());

test.each([
  [
    "work that takes longer than it should is told of, once it does and once it is over",
    false,
    ["blocked: no answer for 0.1 s; somebody may hold a lock", "unblocked"],
  ],
  ["work that takes long as a rule is not taken for a lock that somebody holds", true, []],
])("%s", async (_name, takesLong, told) => {
  const events = new RecordedEvents();
  await using session = new Session(parsePostgresUrl(database.url), events, { slowMs: 100 });
  await session.run("sleeping", (client) => client.query("SELECT pg_sleep(0.5)"), NEVER, takesLong);
  expect(events.heard).toEqual(["connected", ...told]);
});
