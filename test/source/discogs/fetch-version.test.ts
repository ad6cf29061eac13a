import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type FetchHooks, fetchVersion, type PresentFile } from "../../../src/source/discogs/fetch-version.ts";
import { chooseVersion, type ListedVersion } from "../../../src/source/discogs/versions.ts";
import { checksumText, type ScriptedServer, type SiteBehaviour, targets } from "./scripted-server.ts";
import { emptyFolder, fill, LIVE, TYPES, testSite, VERSION, versionFiles } from "./setup.ts";

const CHECKSUM = `discogs_${VERSION}_CHECKSUM.txt`;
const nameOf = (type: string) => `discogs_${VERSION}_${type}.xml.gz`;
const NAMES = TYPES.map(nameOf);

/** Hooks that hash, and remember what they were asked and told. */
class Hooks implements FetchHooks {
  readonly hashed: string[] = [];
  readonly begun: string[] = [];
  readonly present: PresentFile[] = [];
  readonly warnings: string[] = [];

  async isGood(path: string, sha256: string): Promise<boolean> {
    this.hashed.push(path);
    return (
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex") === sha256
    );
  }
  async onDownload({ name }: { readonly name: string }): Promise<void> {
    this.begun.push(name);
  }
  async onPresent(file: PresentFile): Promise<void> {
    this.present.push(file);
  }
  readonly warned = (text: string) => void this.warnings.push(text);
}

/** A site that publishes a version, and a root to have it in. */
async function published(files = versionFiles(), behaviour: SiteBehaviour = {}) {
  const [origin, root] = [await emptyFolder(), await emptyFolder()];
  await fill(origin, files);
  const test = await testSite();
  test.server.serveSite(origin, behaviour);
  const fetch = async (hooks = new Hooks()) => {
    const { chosen } = chooseVersion(await test.site.list(LIVE));
    const present = await fetchVersion(test.site, root, chosen as ListedVersion, hooks, LIVE);
    return { hooks, present };
  };
  return { origin, root, files, fetch, ...test };
}

function downloadsOf(server: ScriptedServer): string[] {
  return server.requests.flatMap(({ target }) => (target.startsWith("/?download=") ? [decodeURIComponent(target).split("/").at(-1) ?? ""] : []));
}

async function metadataOf(root: string): Promise<unknown> {
  return JSON.parse(await readFile(join(root, ".discogs_metadata.json"), "utf8"));
}

function entryOf(root: string, name: string, bytes: Uint8Array, version = VERSION.slice(0, 6)) {
  return { path: join(root, name), checksum: createHash("sha256").update(bytes).digest("hex"), version, size: bytes.length };
}

const bytesOf = (files: Readonly<Record<string, Uint8Array>>, name: string) => files[name] ?? new Uint8Array();

it("fetches the CHECKSUM and the four dumps, in order, and writes down what is there", async () => {
  const { root, files, fetch, server } = await published();
  const { hooks, present } = await fetch();
  expect(downloadsOf(server)).toEqual([CHECKSUM, ...NAMES]);
  expect((await readdir(root)).sort()).toEqual([".discogs_metadata.json", CHECKSUM, ...NAMES].sort());
  for (const [name, bytes] of Object.entries(files)) expect(Buffer.from(bytes).equals(await readFile(join(root, name)))).toBe(true);
  expect(present).toEqual(
    TYPES.map((dataType) => {
      const { path, checksum, size } = entryOf(root, nameOf(dataType), bytesOf(files, nameOf(dataType)));
      return { name: nameOf(dataType), dataType, path, bytes: size, sha256: checksum, verified: true, downloaded: true };
    }),
  );
  expect(hooks.present).toEqual(present);
  expect(hooks.begun).toEqual(NAMES);
  expect(hooks.warnings).toEqual([]);
  expect(await metadataOf(root)).toEqual(Object.fromEntries(NAMES.map((name) => [name, entryOf(root, name, bytesOf(files, name))])));
});

it("keeps what is there and good", async () => {
  const { root, fetch, server } = await published();
  await fetch();
  server.requests.length = 0;
  const { hooks, present } = await fetch();
  expect(downloadsOf(server)).toEqual([CHECKSUM]);
  expect(hooks.begun).toEqual([]);
  expect(hooks.hashed).toEqual(NAMES.map((name) => join(root, name)));
  expect(present.map(({ downloaded, verified }) => [downloaded, verified])).toEqual(TYPES.map(() => [false, true]));
});

it("keeps the good ones of a download that failed and fetches the others", async () => {
  const { root, files, fetch, server } = await published();
  server.script(targets.file(nameOf("masters")), { status: 404 });
  const hooks = new Hooks();
  await expect(fetch(hooks)).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  expect(hooks.present.map(({ name }) => name)).toEqual([nameOf("artists"), nameOf("labels")]);
  expect(Object.keys((await metadataOf(root)) as object)).toEqual([nameOf("artists"), nameOf("labels")]);
  server.requests.length = 0;
  server.script(targets.file(nameOf("masters")), { body: bytesOf(files, nameOf("masters")) });
  await fetch();
  expect(downloadsOf(server)).toEqual([CHECKSUM, nameOf("masters"), nameOf("releases")]);
});

it("fetches a dump again whose bytes were published anew", async () => {
  const { origin, root, fetch, server } = await published();
  await fetch();
  const anew = versionFiles(VERSION, 1000, "anew");
  await fill(origin, anew);
  server.requests.length = 0;
  const { hooks } = await fetch();
  expect(downloadsOf(server)).toEqual([CHECKSUM, ...NAMES]);
  expect(hooks.warnings).toHaveLength(4);
  for (const [name, bytes] of Object.entries(anew)) expect(Buffer.from(bytes).equals(await readFile(join(root, name)))).toBe(true);
});

it("ends with the dump whose bytes are not the published ones, which is gone then", async () => {
  const { root, files, fetch, server } = await published();
  await fetch();
  const name = nameOf("labels");
  const flipped = Buffer.from(bytesOf(files, name));
  flipped[100] = (flipped[100] ?? 0) ^ 1;
  await writeFile(join(root, name), flipped);
  server.script(targets.file(name), { body: flipped });
  await expect(fetch()).rejects.toMatchObject({ code: "SOURCE_CORRUPT", message: expect.stringContaining(name) });
  expect((await readdir(root)).sort()).toEqual([".discogs_metadata.json", CHECKSUM, ...NAMES.filter((other) => other !== name)].sort());
  expect(Object.keys((await metadataOf(root)) as object)).not.toContain(name);
});

it.each([
  ["is not there", { status: 404 }],
  ["cannot be had", { status: 500 }],
  ["is a page", { body: "<html>busy</html>" }],
])("goes on, unverified, where the CHECKSUM %s", async (_, reply) => {
  const { root, files, fetch, server } = await published();
  server.script(targets.file(CHECKSUM), reply);
  const { hooks, present } = await fetch();
  expect(hooks.warnings).toEqual([expect.stringContaining("not verified")]);
  expect(present.map(({ verified, sha256 }) => [verified, sha256])).toEqual(NAMES.map((name) => [false, entryOf(root, name, bytesOf(files, name)).checksum]));
  expect(await readdir(root)).not.toContain(CHECKSUM);
  // The next time, what was written down at the download decides.
  server.requests.length = 0;
  const again = await fetch();
  expect(again.present.map(({ downloaded }) => downloaded)).toEqual([false, false, false, false]);
  await writeFile(join(root, nameOf("artists")), "changed");
  expect((await fetch()).present.map(({ downloaded }) => downloaded)).toEqual([true, false, false, false]);
});

it("counts on the CHECKSUM that it kept where it cannot be had again", async () => {
  const { fetch, server } = await published();
  await fetch();
  server.script(targets.file(CHECKSUM), { status: 404 });
  const { hooks, present } = await fetch();
  expect(hooks.warnings).toEqual([expect.stringContaining("kept from an earlier run")]);
  expect(present.map(({ verified, downloaded }) => [verified, downloaded])).toEqual(TYPES.map(() => [true, false]));
});

it("warns of a dump without a line in the CHECKSUM", async () => {
  const files = versionFiles();
  const { [nameOf("masters")]: _, [CHECKSUM]: __, ...summed } = files;
  const { fetch } = await published({ ...files, [CHECKSUM]: Buffer.from(checksumText(summed)) });
  const { hooks, present } = await fetch();
  expect(hooks.warnings).toEqual([expect.stringContaining(nameOf("masters"))]);
  expect(present.map(({ verified }) => verified)).toEqual([true, true, false, true]);
});

it.each([
  ["the Rust extractor", (root: string, files: Record<string, Uint8Array>) => NAMES.map((name) => [name, entryOf(root, name, bytesOf(files, name))])],
  [
    "the Python extractor",
    (root: string, files: Record<string, Uint8Array>) => [...NAMES, CHECKSUM].map((name) => [name, entryOf(root, name, bytesOf(files, name), VERSION)]),
  ],
])("takes over a root of %s", async (_, entries) => {
  const { root, files, fetch, server } = await published();
  await fill(root, files);
  await writeFile(join(root, ".discogs_metadata.json"), JSON.stringify(Object.fromEntries(entries(root, files))));
  server.script(targets.file(CHECKSUM), { status: 404 });
  await rm(join(root, CHECKSUM));
  const { present, hooks } = await fetch();
  expect(present.map(({ downloaded }) => downloaded)).toEqual([false, false, false, false]);
  expect(hooks.warnings).toEqual([expect.stringContaining("CHECKSUM")]);
});

it("adopts dumps that nobody wrote down, by the published SHA-256", async () => {
  const { root, files, fetch, server } = await published();
  await fill(root, files);
  const { present } = await fetch();
  expect(present.every(({ downloaded }) => !downloaded)).toBe(true);
  expect(downloadsOf(server)).toEqual([CHECKSUM]);
  expect(Object.keys((await metadataOf(root)) as object)).toEqual(NAMES);
});

it("removes the parts of other versions, and nothing else", async () => {
  const { root, fetch } = await published();
  const others = [".discogs_20260701_artists.xml.gz.part", ".discogs_20260701_artists.xml.gz.part.json", ".discogs_20260701_releases.xml.gz.part.json.tmp"];
  const kept = ["discogs_20260701_artists.xml.gz", ".notes.part", ".discogs_20260701_things.xml.gz.part"];
  await fill(root, Object.fromEntries([...others, ...kept].map((name) => [name, "x"])));
  await fetch();
  expect(await readdir(root)).toEqual(expect.arrayContaining(kept));
  expect((await readdir(root)).filter((name) => others.includes(name))).toEqual([]);
});

it("makes the root, and refuses dumps that are links out of it", async () => {
  const { root, files, fetch } = await published();
  await rm(root, { recursive: true });
  await fetch();
  const [name = ""] = NAMES;
  const elsewhere = await emptyFolder();
  await fill(elsewhere, { [name]: bytesOf(files, name) });
  await rm(join(root, name));
  await symlink(join(elsewhere, name), join(root, name));
  await expect(fetch()).rejects.toMatchObject({ code: "SOURCE_UNREADABLE", message: expect.stringContaining("leads out of") });
  // A link that stays inside is as good as the file.
  await mkdir(join(root, "disk"));
  await fill(join(root, "disk"), { [name]: bytesOf(files, name) });
  await rm(join(root, name));
  await symlink(join("disk", name), join(root, name));
  expect((await fetch()).present.map(({ downloaded }) => downloaded)).toEqual([false, false, false, false]);
});

it("goes on with a part after a failure, and its bytes are served once", async () => {
  const { root, files, fetch, server } = await published(versionFiles(VERSION, 400_000), { ranges: true });
  const name = nameOf("artists");
  const bytes = bytesOf(files, name);
  const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}"`;
  const half = 65_536;
  server.script(targets.file(name), { headers: { etag }, body: bytes, stallAfter: half });
  const stopping = new AbortController();
  const { chosen } = chooseVersion(await (await testSiteOf(server)).list(LIVE));
  const site = await testSiteOf(server, (done) => done === half && stopping.abort(new Error("stopped")));
  await expect(fetchVersion(site, root, chosen as ListedVersion, new Hooks(), stopping.signal)).rejects.toThrow("stopped");
  expect((await stat(join(root, `.${name}.part`))).size).toBe(half);
  server.script(targets.file(name));
  await fetch();
  expect(server.bytesServed(({ target }) => target === targets.file(name))).toBe(bytes.length);
  expect(Buffer.from(bytes).equals(await readFile(join(root, name)))).toBe(true);
});

/** Another site on the same server. */
async function testSiteOf(server: ScriptedServer, onProgress: (bytes: number) => void = () => {}) {
  const { DiscogsSite } = await import("../../../src/source/discogs/site.ts");
  const { EventLog, optionsFor, TestEnvironment } = await import("./setup.ts");
  const events = new EventLog();
  events.onProgress = onProgress;
  return new DiscogsSite(optionsFor(server.baseUrl), events, new TestEnvironment());
}
