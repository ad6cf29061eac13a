import { execFileSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Contained, type Ended, openImage } from "./image.ts";

const MB = 1_000_000;
const SIZE_MAX = 60 * MB;
const SECOND_NS = 1_000_000_000;
const UID = 1000;
const RECORDS = 2_000;
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

const image = openImage();
const folder = mkdtempSync(join(tmpdir(), "deadwax-container-"));

beforeAll(() => {
  chownSync(folder, UID, UID);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function inImage(...argv: string[]): Promise<Ended> {
  return new Contained(image, folder, { argv }).ended;
}

describe("the image", () => {
  it("says how it is run", () => {
    const { User, Entrypoint, Cmd, ExposedPorts, Volumes, Labels, Healthcheck } = image.config;
    expect({ User, Entrypoint, Cmd: Cmd ?? [], ports: Object.keys(ExposedPorts), volumes: Object.keys(Volumes) }).toEqual({
      User: "1000:1000",
      Entrypoint: ["extractor"],
      Cmd: [],
      ports: ["8000/tcp", "8002/tcp"],
      volumes: ["/discogs-data"],
    });
    expect(Healthcheck).toEqual({
      Test: ["CMD-SHELL", "curl -f http://localhost:8000/health || exit 1"],
      Interval: 30 * SECOND_NS,
      Timeout: 3 * SECOND_NS,
      StartPeriod: 60 * SECOND_NS,
      Retries: 3,
    });
    expect(Labels).toMatchObject({ "org.opencontainers.image.title": "deadwax", "org.opencontainers.image.version": version });
  });

  it("adds less than 60 MB to Node and its base", () => {
    const bytes = sizeOf(image.root) - sizeOf(image.base);
    console.log(`the image adds ${(bytes / MB).toFixed(1)} MB to its base`);
    expect(bytes).toBeGreaterThan(MB);
    expect(bytes).toBeLessThan(SIZE_MAX);
  });

  it("holds neither sources nor what builds them", () => {
    expect(readdirSync(join(image.root, "app")).sort()).toEqual(["LICENSE", "deploy", "dist", "native", "node_modules", "package.json"]);
    for (const path of ["app/dist/fault/on.js", "usr/bin/gcc", "usr/bin/cmake", "usr/local/cargo", "build", "app/node_modules/typescript"])
      expect(existsSync(join(image.root, path))).toBe(false);
  });

  it("runs as 1000 without capabilities, and cannot gain any", async () => {
    const { stdout } = await inImage("cat", "/proc/self/status");
    const status = Object.fromEntries(stdout.split("\n").map((line) => line.split(/:\s+/)));
    expect(status).toMatchObject({ Pid: "1", Uid: "1000\t1000\t1000\t1000", Gid: "1000\t1000\t1000\t1000", NoNewPrivs: "1" });
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(status[set], set).toMatch(/^0+$/);
  });

  it("writes to its data folder alone", async () => {
    const tried = ["/", "/app", "/etc", "/home", "/logs", "/root", "/tmp", "/usr/local/bin", "/var/tmp"];
    const { stdout } = await inImage("sh", "-c", `for at in ${tried.join(" ")} /discogs-data; do touch $at/written 2>/dev/null && echo $at; done; true`);
    expect(stdout).toBe("/discogs-data\n");
    expect(existsSync(join(folder, "written"))).toBe(true);
    expect(await inImage("curl", "--version")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^curl \d/) });
  });

  it("answers to four names, and takes a name as the first argument too", async () => {
    expect(await inImage("deadwax", "--version")).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" });
    expect(await new Contained(image, folder, { args: ["deadwax", "--version"] }).ended).toMatchObject({ code: 0, stdout: `${version}\n` });
    for (const name of ["extractor", "rustextractor", "tableinator", "deadwax"])
      expect((await inImage("sh", "-c", `command -v ${name}`)).stdout).toBe(`/usr/local/bin/${name}\n`);
  });

  it("is upstream's extractor: its flags, its exit codes", async () => {
    const env = { AMQP_CONNECTION: "amqp://127.0.0.1:1" };
    const started = (...args: string[]) => new Contained(image, folder, { args, env }).ended;
    expect(await started("--source", "musicbrainz")).toMatchObject({ code: 2, stderr: expect.stringContaining("musicbrainz") });
    expect(await started("rustextractor", "--unknown")).toMatchObject({ code: 2, stderr: expect.stringContaining("--unknown") });
    expect(await new Contained(image, folder, {}).ended).toMatchObject({ code: 1, stderr: expect.stringContaining("AMQP_CONNECTION") });
  });

  it("is upstream's table writer: it names every variable that is missing", async () => {
    const { code, stderr } = await new Contained(image, folder, { args: ["tableinator"], env: { AMQP_CONNECTION: "amqp://127.0.0.1:1" } }).ended;
    expect(code).toBe(1);
    for (const name of ["POSTGRES_HOST", "POSTGRES_USERNAME", "POSTGRES_PASSWORD", "POSTGRES_DATABASE"]) expect(stderr).toContain(name);
  });

  it("extracts a dump in its data folder", async () => {
    const counts = ["artists", "labels", "masters", "releases"].flatMap((type) => [`--${type}`, String(RECORDS)]);
    expect(await inImage("deadwax", "generate", ...counts, "--out", "/discogs-data")).toMatchObject({ code: 0, stderr: "" });
    const { code, stdout } = await inImage("deadwax", "extract", "--root", "/discogs-data", "--sink", "file:/discogs-data/out", "--output", "json");
    expect(code).toBe(0);
    const { complete, types } = JSON.parse(stdout);
    expect(complete).toBe(true);
    for (const type of ["artists", "labels", "masters", "releases"]) {
      expect(types[type]).toMatchObject({ read: RECORDS, written: RECORDS });
      const lines = readFileSync(join(folder, "out", "20260801", `${type}.ndjson`), "utf8").split("\n");
      expect(lines.length - 1).toBe(RECORDS);
    }
  });
});

function sizeOf(root: string): number {
  return Number(execFileSync("du", ["-sxk", root], { encoding: "utf8" }).split("\t")[0]) * 1024;
}
