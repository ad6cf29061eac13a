import { appendFile, utimes } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { sameIdentity } from "../../src/model.ts";
import { identify } from "../../src/source/identity.ts";
import { describePolicy, type VerifyPass, type VerifyWork, verify } from "../../src/source/verify.ts";
import { folderOf } from "./folder.ts";

const HASH = "ab".repeat(32);
const OTHER = "cd".repeat(32);
const expected = { sha256: HASH, from: "CHECKSUM.txt" };
const { signal } = new AbortController();

describe("verify", () => {
  let path = "";
  let passes: VerifyWork[] = [];
  const finding =
    (sha256: string): VerifyPass =>
    async (work) => {
      passes.push(work);
      return { sha256: work.sha256 ? sha256 : null };
    };

  beforeEach(async () => {
    path = join(await folderOf({ dump: "bytes" }), "dump");
    passes = [];
  });

  it.each([
    ["auto", expected, { sha256: true, inflate: false }],
    ["auto", null, { sha256: true, inflate: true }],
    ["full", expected, { sha256: true, inflate: true }],
    ["full", null, { sha256: true, inflate: true }],
  ] as const)("makes one pass: mode %s, published %j", async (mode, published, work) => {
    const verified = await verify(path, { mode, expected: published }, finding(HASH), signal);
    expect(passes).toEqual([{ path, ...work }]);
    expect(verified).toEqual({ identity: await identify(path), sha256: HASH });
  });

  it("says what it looks at", () => {
    expect(describePolicy({ mode: "auto", expected })).toBe("SHA-256 against CHECKSUM.txt");
    expect(describePolicy({ mode: "auto", expected: null })).toBe("a full pass over the file");
    expect(describePolicy({ mode: "full", expected })).toBe("SHA-256 against CHECKSUM.txt and a full pass over the file");
  });

  it("refuses bytes that are not the published ones", async () => {
    const attempt = verify(path, { mode: "auto", expected }, finding(OTHER), signal);
    await expect(attempt).rejects.toMatchObject({
      code: "SOURCE_CORRUPT",
      message: expect.stringMatching(new RegExp(`dump.*${OTHER}.*CHECKSUM.txt.*${HASH}`)),
    });
  });

  it.each([
    ["grew", () => appendFile(path, "more")],
    ["was touched", () => utimes(path, 1, 1)],
  ])("refuses a file that %s meanwhile, whatever its hash", async (_, change) => {
    const pass: VerifyPass = async () => {
      await change();
      return { sha256: OTHER };
    };
    await expect(verify(path, { mode: "auto", expected }, pass, signal)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
  });

  it("hands on what is wrong with the gzip", async () => {
    const fault = new Error("fault");
    await expect(verify(path, { mode: "full", expected: null }, () => Promise.reject(fault), signal)).rejects.toBe(fault);
  });

  it("refuses a missing file before any pass", async () => {
    await expect(verify(`${path}-gone`, { mode: "auto", expected }, finding(HASH), signal)).rejects.toMatchObject({ code: "SOURCE_MISSING" });
    expect(passes).toEqual([]);
  });
});

it("tells a file from its later edits", async () => {
  const path = join(await folderOf({ dump: "bytes" }), "dump");
  const before = await identify(path);
  expect(sameIdentity(before, await identify(path))).toBe(true);
  await utimes(path, 1, 1);
  expect(sameIdentity(before, await identify(path))).toBe(false);
  expect(JSON.parse(JSON.stringify(before))).toEqual(before);
});
