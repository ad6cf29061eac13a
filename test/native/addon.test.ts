import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import * as addon from "../../native/index.js";
import { runNative, sourceOptions } from "./run.ts";

const ADDON = new URL("../../native/index.js", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "deadwax-addon-"));
afterAll(() => rmSync(folder, { recursive: true }));

const RECORDS = Array.from({ length: 300 }, (_, index) => `<artist><id>${index + 1}</id><name>Name &amp; ${"x".repeat(index % 50)}</name></artist>`);
const XML = Buffer.from(`<artists>\n${RECORDS.join("\n")}\n</artists>\n`);

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** The fault that a call throws, as JSON in its message. */
function thrown(call: () => unknown): addon.Fault {
  try {
    call();
  } catch (error) {
    return JSON.parse(error instanceof Error ? error.message : String(error));
  }
  throw new Error("nothing was thrown");
}

describe("the boundary", () => {
  test("exports what index.d.ts declares, and nothing else", () => {
    const declared = readFileSync(new URL("index.d.ts", ADDON), "utf8").matchAll(/^export function (\w+)/gm);
    expect(Object.keys(addon).sort()).toEqual([...declared].map(([, name]) => name).sort());
    for (const value of Object.values(addon)) expect(value).toBeTypeOf("function");
  });

  test("tells how it was built", () => {
    const { version, inflate, target } = addon.buildInfo();
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(inflate.map(({ name }) => name)).toEqual(["zlib-ng", "zlib-rs"]);
    for (const library of inflate) expect(library.version).toMatch(/^\d+\.\d+/);
    expect(target).toContain(process.platform === "linux" ? "linux" : "");
  });
});

describe("hashes", () => {
  // From the reference implementation's own tests: bytes of its generator, seed 0.
  const vectors: [length: number, hash: bigint][] = [
    [0, 0x2d06800538d394c2n],
    [1, 0xc44bdff4074eecdbn],
    [6, 0x27b56a84cd2d7325n],
    [12, 0xa713daf0dfbb77e7n],
    [24, 0xa3fe70bf9d3510ebn],
    [48, 0x397da259ecba1f11n],
    [80, 0xbcdefbbb2c47c90an],
    [195, 0xcd94217ee362ec3an],
    [403, 0xcdeb804d65c6dea4n],
    [512, 0x617e49599013cb6bn],
    [2048, 0xdd59e2c3a5f038e0n],
    [2240, 0x6e73a90539cf2948n],
    [2367, 0xcb37aeb9e5d361edn],
  ];
  const generated = (length: number): Uint8Array => {
    let state = 2654435761n;
    return Uint8Array.from({ length }, () => {
      const byte = Number(state >> 56n);
      state = BigInt.asUintN(64, state * 11400714785074694797n);
      return byte;
    });
  };

  test.each(vectors)("xxh3, 64 bit, of %i bytes", (length, hash) => expect(addon.xxh3_64(generated(length))).toBe(hash));

  test("xxh3, 128 bit", () => {
    expect(addon.xxh3_128(new Uint8Array())).toBe("99aa06d3014798d86001c324468d497f");
    expect(addon.xxh3_128(Buffer.from("a"))).toBe("a96faf705af16834e6c632b61e964e1f");
    expect(addon.xxh3_128(Buffer.from("abc"))).toBe("06b05ab6733a618578af5f94892f3950");
  });

  test("SHA-256", () => expect(addon.sha256(XML)).toBe(createHash("sha256").update(XML).digest("hex")));
});

describe("sources", () => {
  test("what cannot be opened or read says so", () => {
    const open = (path: string) => () => addon.openSource(sourceOptions(path));
    expect(thrown(open(join(folder, "missing")))).toMatchObject({ code: "SOURCE_UNREADABLE", message: expect.stringContaining("missing") });
    expect(thrown(open(folder))).toMatchObject({ code: "SOURCE_UNREADABLE", message: expect.stringContaining("directory") });
    expect(runNative(file("empty", new Uint8Array()), "artists", "topic").fault).toMatchObject({ code: "SOURCE_CORRUPT" });
    expect(runNative(file("zeros", new Uint8Array(100)), "artists", "topic").fault).toMatchObject({ code: "SOURCE_MALFORMED" });
  });

  test("a closed handle is refused, and closing again does nothing", () => {
    const { handle } = addon.openSource(sourceOptions(file("plain", XML)));
    addon.closeSource(handle);
    addon.closeSource(handle);
    addon.stopSource(handle);
    expect(() => addon.pullPiece(handle, new Uint8Array(8))).toThrow(/closed/);
    expect(() => addon.sourceMemory(handle)).toThrow(/closed/);
  });

  test("the columns of a piece describe its records, in the slot or beside it", () => {
    for (const slotBytes of [8, 1 << 20]) {
      const { handle } = addon.openSource(sourceOptions(file("plain", XML)));
      const slot = new Uint8Array(slotBytes);
      let seen = 0;
      for (let end = false; !end; ) {
        const piece = addon.pullPiece(handle, slot);
        end = piece.end;
        const bytes = piece.own ?? slot;
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const count = piece.records;
        const sizes = piece.table + Math.ceil((count * 4) / 8) * 8;
        const short = sizes + Math.ceil((count * 4) / 8) * 8;
        const long = short + count * 8;
        const sha = long + count * 16;
        let start = 0;
        for (let index = 0; index < count; index += 1, seen += 1) {
          const raw = Buffer.from(RECORDS[seen] ?? "");
          const bodyEnd = view.getUint32(piece.table + index * 4, true);
          const body = Buffer.from(bytes.subarray(start, bodyEnd)).toString();
          start = bodyEnd + 1;
          expect(JSON.parse(body).id).toBe(String(seen + 1));
          expect(view.getUint32(sizes + index * 4, true)).toBe(raw.length);
          expect(view.getBigUint64(short + index * 8, true)).toBe(addon.xxh3_64(raw));
          expect(Buffer.from(bytes.subarray(long + index * 16, long + index * 16 + 16)).toString("hex")).toBe(addon.xxh3_128(raw));
          expect(Buffer.from(bytes.subarray(sha + index * 32, sha + index * 32 + 32)).toString("hex")).toBe(JSON.parse(body).sha256);
        }
        expect(start).toBe(piece.bytes);
      }
      expect(seen).toBe(RECORDS.length);
      // After the end there is nothing more.
      expect(addon.pullPiece(handle, slot)).toMatchObject({ end: true, records: 0, read: 0 });
      addon.closeSource(handle);
    }
  });

  test.each(["zlib-ng", "zlib-rs"] as const)("resume points survive JSON, %s", (backend) => {
    // Little memory makes many blocks, and a point needs a block's end.
    const members = [XML.subarray(0, 5000), XML.subarray(5000, 9000), XML.subarray(9000)].map((part) => gzipSync(part, { memLevel: 1 }));
    const path = file("members.gz", Buffer.concat(members));
    const whole = runNative(path, "artists", "topic", { backend });
    const { handle } = addon.openSource(sourceOptions(path, { dataType: "artists", backend, chunkBytes: 512, checkpointRecords: 1 }));
    const slot = new Uint8Array(1 << 16);
    let delivered = 0;
    let points = 0;
    for (let end = false; !end; ) {
      const piece = addon.pullPiece(handle, slot);
      end = piece.end;
      delivered += piece.records;
      if (!piece.resume) continue;
      points += 1;
      const resume = JSON.parse(JSON.stringify(piece.resume));
      const rest = runNative(path, "artists", "topic", { backend, resume });
      expect(rest.fault).toBeNull();
      expect(rest.bodies).toEqual(whole.bodies.slice(delivered));
    }
    addon.closeSource(handle);
    expect(points).toBeGreaterThan(0);
  });

  test("a damaged resume point is refused, not believed", () => {
    const path = file("one.gz", gzipSync(XML));
    const resume = { compressedOffset: 100, bits: 3, memberCrc: 1, memberBytes: 10, inflatedOffset: 10, window: "!", recordOffset: 10, rootName: "artists" };
    expect(thrown(() => addon.openSource(sourceOptions(path, { resume })))).toMatchObject({ code: "SOURCE_CORRUPT" });
    const elsewhere = { ...resume, window: "", compressedOffset: 1e9 };
    expect(thrown(() => addon.openSource(sourceOptions(path, { resume: elsewhere })))).toMatchObject({ code: "SOURCE_CORRUPT" });
    const { fault, bodies } = runNative(path, "artists", "topic", { resume: { ...resume, window: "" } });
    expect(fault).not.toBeNull();
    expect(bodies).toEqual([]);
  });
});

describe("verification", () => {
  const verify = (path: string, sha256: boolean, inflate: boolean): addon.VerifyStep => {
    const handle = addon.openVerify({ path, backend: "zlib-ng", sha256, inflate, inflatedBytesMax: 2 ** 40, inflateRatioMax: 200 });
    for (;;) {
      const step = addon.verifyStep(handle, 1000);
      if (!step.done && !step.fault) continue;
      addon.closeVerify(handle);
      return step;
    }
  };
  const gzip = gzipSync(XML);

  test("hashes the file's bytes, inflates them, or both", () => {
    const path = file("sound.gz", gzip);
    const hash = createHash("sha256").update(gzip).digest("hex");
    expect(verify(path, true, false).sha256).toBe(hash);
    expect(verify(path, true, true)).toMatchObject({ done: true, sha256: hash, inflatedBytes: XML.length, compressedBytes: gzip.length });
    expect(verify(path, false, true).sha256 ?? null).toBeNull();
  });

  test("refuses a damaged file", () => {
    const damaged = Buffer.from(gzip);
    damaged.writeUInt8(damaged.readUInt8(gzip.length - 6) ^ 1, gzip.length - 6);
    expect(verify(file("damaged.gz", damaged), true, true).fault).toMatchObject({ code: "SOURCE_CORRUPT" });
    expect(verify(file("cut.gz", gzip.subarray(0, -1)), false, true).fault).toMatchObject({ code: "SOURCE_CORRUPT" });
    expect(verify(file("padded.gz", Buffer.concat([gzip, Buffer.alloc(1)])), false, true).fault).toMatchObject({ code: "SOURCE_CORRUPT" });
    expect(thrown(() => verify(join(folder, "missing"), true, true))).toMatchObject({ code: "SOURCE_UNREADABLE" });
  });
});

describe("the lock", () => {
  const holding: ChildProcess[] = [];
  afterAll(() => {
    for (const child of holding) child.kill("SIGKILL");
  });

  /** Another process that tries to take the lock, and what it says. */
  const other = async (path: string): Promise<{ child: ChildProcess; answer: string }> => {
    const child = spawn(process.execPath, [fileURLToPath(new URL("lock-holder.mjs", import.meta.url)), ADDON.href, path, "the other"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    holding.push(child);
    const answer = await new Promise<string>((resolve) => child.stdout?.once("data", (data: Buffer) => resolve(data.toString().trim())));
    return { child, answer };
  };

  test("keeps other processes out, says who holds it, and goes with a killed holder", { timeout: 20_000 }, async () => {
    const path = join(folder, "lock");
    const { child, answer } = await other(path);
    expect(answer).toBe("taken");
    expect(addon.lockFile(path, "this one")).toBeNull();
    expect(readFileSync(path, "utf8")).toBe("the other");
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    const handle = addon.lockFile(path, "me");
    expect(handle).not.toBeNull();
    expect(readFileSync(path, "utf8")).toBe("me");
    // The same process cannot take it twice either.
    expect(addon.lockFile(path, "again")).toBeNull();
    expect((await other(path)).answer).toBe("held elsewhere");
    if (handle !== null) addon.unlockFile(handle);
    expect((await other(path)).answer).toBe("taken");
    expect(existsSync(path)).toBe(true);
  });

  test("cannot be taken where no file can be", () => {
    expect(() => addon.lockFile(join(folder, "no", "such", "folder"), "me")).toThrow();
  });
});
