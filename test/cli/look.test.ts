import { appendFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { applyPatch } from "rfc6902";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bodiesIn, dumpOf, folderWith, label, NAME, zipped } from "../look/labels.ts";
import { sharedBroker, VirtualHost } from "../services/virtual-host.ts";
import { deadwax, extract, lastLine } from "../system/support/deadwax.ts";

const START_MS = 300_000;
const LATER = "discogs_20260901_labels.xml.gz";
const A = [label("1", "one"), label("2", "two"), label("3", "three"), label("2", "two again"), label("5", "five")];
const B = [label("1", "one"), label("2", "two/~ again", "new"), label("4", "four"), label("5", "five")];

async function place(): Promise<string> {
  return await folderWith({ [NAME]: zipped(dumpOf(A)), [LATER]: zipped(dumpOf(B)) });
}

describe("deadwax get", () => {
  it("prints exactly what extract delivers, of the newest version or the one that is asked for", async () => {
    const root = await place();
    const first = await deadwax(["get", "labels", "1", root]);
    expect([first.code, first.stdout.toString()]).toEqual([0, `${(await bodiesIn(join(root, LATER))).get("1")}\n`]);
    expect(first.stderr).toMatch(/^📇 Building the access index of discogs_20260901_labels.*\n✅ Access index of .*: 4 records in 1 spans, .*\n$/);
    const second = await deadwax(["get", "labels", "1", "--root", root, "--contract", "fanout"]);
    expect([second.stdout.toString(), second.stderr]).toEqual([`${(await bodiesIn(join(root, LATER), "fanout")).get("1")}\n`, ""]);
    const raw = await deadwax(["get", "labels", "2", "--raw", "--version", "20260801", "-q"], { env: { DEADWAX_ROOT: root } });
    expect([raw.stdout.toString(), raw.stderr]).toEqual([`${A[3]}\n`, expect.stringMatching(/^⚠️ .* holds 2 records 2; this is the last/)]);
  });

  it("says so where an access index is damaged, and goes on", async () => {
    const root = await place();
    const file = join(root, NAME);
    await deadwax(["get", "labels", "1", file]);
    await appendFile(join(root, ".deadwax_access", `${NAME}.access`), "x");
    const { code, stderr } = await deadwax(["get", "labels", "1", file]);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^⚠️ The access index of .* cannot be used: .*; building it anew\n/)]);
    expect((await deadwax(["get", "labels", "1", file])).stderr).toBe("");
  });

  it.each([
    [["labels", "99"], 8, /RECORD_NOT_FOUND: .*there is no record 99$/],
    [["labels", "1", "--version", "20250101"], 4, /SOURCE_MISSING: .*20260901, 20260801$/],
    [["albums", "1"], 2, /CONFIG_INVALID: albums is no data type/],
    [["labels"], 2, /CONFIG_INVALID: missing required argument 'id'/],
  ])("ends %j with %d and one line", async (args, exit, line) => {
    const ended = await deadwax(["get", ...args, "-q", ...(args.length > 1 ? ["--root", await place()] : [])]);
    expect([ended.code, ended.stdout.toString(), ended.stderr.split("\n").length]).toEqual([exit, "", 2]);
    expect(lastLine(ended)).toMatch(line);
  });
});

describe("deadwax diff", () => {
  it("gives a patch that another engine makes the one body of the other with", async () => {
    const root = await place();
    const before = await bodiesIn(join(root, NAME));
    const after = await bodiesIn(join(root, LATER));
    const types: string[] = [];
    for (const id of ["1", "2", "3", "4"]) {
      const { code, stdout } = await deadwax(["diff", "labels", id, join(root, NAME), root, "--output", "json", "-q"]);
      const { change_type, patch, ...rest } = JSON.parse(stdout.toString());
      expect(rest).toMatchObject({ data_type: "labels", record_id: id, from: { version: "20260801" }, to: { version: "20260901" } });
      const document = { value: JSON.parse(before.get(id) ?? "null") };
      // As a member, so that the root can be replaced and removed like everything else.
      const steps = patch.map((step: { path: string }) => ({ ...step, path: `/value${step.path}` }));
      expect([code, applyPatch(document, steps).filter((error) => error !== null)]).toEqual([0, []]);
      expect(document.value ?? null).toEqual(JSON.parse(after.get(id) ?? "null"));
      types.push(change_type);
    }
    expect(types).toEqual(["unchanged", "updated", "deleted", "created"]);
  });

  it("tells people what has become of a record", async () => {
    const root = await place();
    const diff = async (id: string) => (await deadwax(["diff", "labels", id, join(root, NAME), join(root, LATER), "-q"])).stdout.toString();
    expect(await diff("1")).toBe("labels 1: the same in 20260801 and 20260901\n");
    expect(await diff("2")).toMatch(
      /^labels 2: updated from 20260801 to 20260901: 3 changes\n~ \/sha256: "\w+" → "\w+"\n~ \/name: "two again" → "two\/~ again"\n~ \/profile: null → "new"\n$/,
    );
    expect(await diff("3")).toMatch(/^labels 3: deleted: only 20260801 \(.*\) has it\n$/);
    expect(await diff("4")).toMatch(/^labels 4: created: only 20260901 \(.*\) has it\n$/);
    const neither = await deadwax(["diff", "labels", "99", join(root, NAME), root, "-q"]);
    expect([neither.code, lastLine(neither)]).toEqual([8, expect.stringContaining("RECORD_NOT_FOUND: neither ")]);
  });
});

describe("deadwax republish", () => {
  let host: VirtualHost;
  beforeAll(async () => {
    host = await VirtualHost.create(await sharedBroker());
  }, START_MS);
  beforeEach(() => host.empty());
  afterAll(() => host[Symbol.asyncDispose]());

  /** A queue that gets whatever goes through the exchange. */
  async function listen(): Promise<string> {
    const channel = await host.channel();
    await channel.exchangeDeclare({ exchange: "discogsography-exchange", type: "topic", durable: true });
    await channel.queueDeclare({ queue: "all", durable: true });
    await channel.queueBind({ queue: "all", exchange: "discogsography-exchange", routingKey: "#" });
    return "all";
  }

  it("sends exactly those messages, as a run does, and leaves the state alone", async () => {
    const root = await folderWith({ [NAME]: zipped(dumpOf(A)) });
    const queue = await listen();
    expect((await extract([join(root, NAME), "--sink", host.url()])).code).toBe(0);
    const ofRun = await host.drain(queue);
    expect(ofRun.map(({ messageId }) => messageId)).toEqual([...[0, 1, 2, 3, 4].map((n) => `20260801/labels/${n}`), "20260801/labels/file_complete"]);
    const marker = await readFile(join(root, ".extraction_status_20260801.json"));
    const ended = await deadwax(["republish", "labels", "5", "99", "2", "5", "--root", root, "--sink", host.url(), "--output", "json", "-q"]);
    const delivered = await host.drain(queue);
    const plain = ({ body, consumerTag: _consumer, deliveryTag: _delivery, messageId: _id, ...rest }: (typeof delivered)[number]) => ({
      ...rest,
      body: body.toString(),
    });
    // The last record of an id, which is the fourth message, and the fifth.
    expect(delivered.map(plain)).toEqual(ofRun.slice(3, 5).map(plain));
    const ids = delivered.map(({ messageId }) => messageId ?? "");
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^20260801\/labels\/\d{16}$/);
    expect(ended.code).toBe(8);
    expect(JSON.parse(ended.stdout.toString())).toMatchObject({
      version: "20260801",
      sent: ["2", "5"],
      missing: [{ id: "99", reason: "there is no record 99" }],
    });
    expect(JSON.parse(lastLine(ended)).error.code).toBe("RECORD_NOT_FOUND");
    expect(await readFile(join(root, ".extraction_status_20260801.json"))).toEqual(marker);
    expect((await readdir(root)).sort()).toEqual([".deadwax.lock", ".deadwax_access", ".extraction_status_20260801.json", NAME]);
  });

  it.each([
    [["--sink", "file:out"], /CONFIG_INVALID: sink file: keeps a version as a whole/],
    [["--sink", "postgres://u:secret@h/d"], /CONFIG_INVALID: sink postgres: keeps a version as a whole/],
    [[], /CONFIG_INVALID: nowhere to send to: give --sink/],
  ])("refuses %j before anything is read", async (sink, line) => {
    const root = await folderWith({ [NAME]: zipped(dumpOf(A)) });
    const ended = await deadwax(["republish", "labels", "1", "--root", root, ...sink]);
    expect([ended.code, lastLine(ended), await readdir(root)]).toEqual([2, expect.stringMatching(line), [NAME]]);
  });

  it("prints to standard output where that is the sink", async () => {
    const root = await folderWith({ [NAME]: zipped(dumpOf(A)) });
    const { code, stdout, stderr } = await deadwax(["republish", "labels", "1", "3", "--root", root, "--sink", "-", "-q"]);
    const bodies = await bodiesIn(join(root, NAME));
    expect([code, stdout.toString()]).toEqual([0, `${bodies.get("1")}\n${bodies.get("3")}\n`]);
    expect(stderr).toBe("✅ 2 of 2 messages of labels 20260801 sent to -\n");
  });
});
