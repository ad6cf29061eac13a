import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { programs, ROOT, readDockerfile, rulesOf, textOf, texts } from "./dockerfile.ts";

const BUILD_STEPS_MAX = 10;
const IMAGE_STEPS_MAX = 12;
/** Release lines of Node with long-term support are even. */
const LTS_STEP = 2;

const dockerfile = readDockerfile();
const { args, stages, build, image } = dockerfile;
const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
const runs = [build, image].flatMap((stage) => texts(stage, "RUN"));

/** One check a rule of docs/dockerfile-standards.md, by its title. */
const CHECKS: Readonly<Record<string, () => void>> = {
  "Bases are arguments": () => {
    expect(stages.map(({ base }) => base)).toEqual([`\${RUST}`, `\${BASE}`, `\${BASE}`]);
    expect(Object.keys(args).sort()).toEqual(["BASE", "RUST"]);
  },
  "Bases have versions": () => {
    const [, node] = /^docker\.io\/library\/node:(\d+)-\w+-slim$/.exec(args["BASE"] ?? "") ?? [];
    expect(Number(node) % LTS_STEP).toBe(0);
    const [, oldest] = /^>=(\d+)\./.exec(manifest.engines.node) ?? [];
    expect(Number(node)).toBeGreaterThanOrEqual(Number(oldest));
    const [, rust] = /^docker\.io\/library\/rust:1\.(\d+)-slim-\w+$/.exec(args["RUST"] ?? "") ?? [];
    const [, oldestRust] = /^rust-version = "1\.(\d+)"$/m.exec(readFileSync(`${ROOT}native/Cargo.toml`, "utf8")) ?? [];
    expect(Number(rust)).toBeGreaterThanOrEqual(Number(oldestRust));
  },
  "One base for building and running": () => {
    expect(build.base).toBe(image.base);
    // The toolchain's own C library is of the same Debian.
    expect(args["RUST"]?.split("-").at(-1)).toBe(args["BASE"]?.split("-").at(-2));
  },
  "Lock files decide": () => {
    expect(runs.filter((text) => /\bnpm (install|i)\b|\bcargo\b|\bwget\b|\bcurl\b.*\|/.test(text))).toEqual([]);
    expect(runs.some((text) => /\bnpm ci\b/.test(text))).toBe(true);
    expect(manifest.scripts["build:native"]).toContain("--locked");
    for (const stage of stages) expect(texts(stage, "ADD")).toEqual([]);
    for (const lock of ["package-lock.json", "native/Cargo.lock"]) expect(existsSync(`${ROOT}${lock}`)).toBe(true);
  },
  "Compilers stay behind": () => {
    expect(textOf(image, "COPY")).toBe("--from=build /out /");
    expect(texts(build, "RUN").some((text) => text.includes("npm pack"))).toBe(true);
    const installed = texts(image, "RUN").flatMap((text) =>
      [...text.matchAll(/install -y --no-install-recommends ([^&]+?) &&/g)].map(([, packages]) => packages),
    );
    expect(installed).toEqual(["curl"]);
  },
  "Development dependencies stay behind": () => expect(runs.some((text) => /npm prune --omit=dev\b/.test(text))).toBe(true),
  "Packages leave nothing but themselves": () => {
    const installing = runs.filter((text) => text.includes("apt-get"));
    expect(installing).toHaveLength(2);
    for (const text of installing)
      expect(text).toMatch(/^apt-get update && apt-get install -y --no-install-recommends [^&]+ && rm -rf \/var\/lib\/apt\/lists\/\* \/var\/cache\/apt\/\*/);
  },
  "The context is a list of what is needed": () => {
    const lines = readFileSync(`${ROOT}.dockerignore`, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(lines[0]).toBe("*");
    const allowed = lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
    expect(allowed).toEqual(["package.json", "package-lock.json", "tsconfig.json", "LICENSE", "src", "native", "deploy/entrypoint.mjs"]);
    for (const path of allowed) expect(existsSync(`${ROOT}${path}`)).toBe(true);
    expect(lines).toEqual(expect.arrayContaining(["native/*.node", "**/target"])); // an addon of another machine must not get in
  },
  "Few steps": () => {
    expect(build.instructions.length).toBeLessThanOrEqual(BUILD_STEPS_MAX);
    expect(image.instructions.filter(({ keyword }) => keyword !== "ARG").length).toBeLessThanOrEqual(IMAGE_STEPS_MAX);
  },
  "The user is numeric and comes last": () => {
    expect(textOf(image, "USER")).toBe(`\${UID}:\${GID}`);
    expect(texts(image, "ARG")).toEqual(expect.arrayContaining(["UID=1000", "GID=1000"]));
    const order = image.instructions.map(({ keyword }) => keyword);
    expect(order.lastIndexOf("RUN")).toBeLessThan(order.indexOf("USER"));
    expect(order.lastIndexOf("COPY")).toBeLessThan(order.indexOf("USER"));
  },
  "The data folders belong to that user": () => {
    expect(textOf(image, "RUN")).toContain(`install -d -o "\${UID}" -g "\${GID}" /discogs-data /logs`);
    expect(JSON.parse(textOf(image, "VOLUME"))).toEqual(["/discogs-data"]);
  },
  "No shell between signal and program": () => {
    expect(JSON.parse(textOf(image, "ENTRYPOINT"))).toEqual(["extractor"]);
    expect(texts(image, "CMD")).toEqual([]);
    const [entrypoint, cli] = ["/app/deploy/entrypoint.mjs", "/app/dist/cli.js"];
    expect(programs(dockerfile)).toEqual({ extractor: entrypoint, rustextractor: cli, tableinator: cli, deadwax: cli });
    expect(readFileSync(`${ROOT}deploy/entrypoint.mjs`, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  },
  "Health is checked": () => {
    const times = "--interval=30s --timeout=3s --start-period=60s --retries=3";
    expect(textOf(image, "HEALTHCHECK")).toBe(`${times} CMD curl -f http://localhost:8000/health || exit 1`);
    expect(textOf(image, "EXPOSE")).toBe("8000 8002");
  },
  "Labels say what it is": () => {
    const labels = [...textOf(image, "LABEL").matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
    expect(Object.fromEntries(labels)).toEqual({
      title: manifest.name,
      description: expect.any(String),
      licenses: manifest.license,
      version: `\${VERSION}`,
      revision: `\${REVISION}`,
    });
    expect(texts(image, "ARG")).toContain(`VERSION=${manifest.version}`);
  },
  "Nothing secret is built in": () => {
    const named = [...Object.keys(args), ...[build, image].flatMap((stage) => [...texts(stage, "ARG"), ...texts(stage, "ENV")])];
    for (const text of named) expect(text).not.toMatch(/PASS|SECRET|TOKEN|CREDENTIAL|_KEY/i);
    expect(runs.filter((text) => /--mount=type=secret/.test(text))).toEqual([]);
  },
};

describe("Dockerfile standards", () => {
  it.each(rulesOf("dockerfile-standards.md"))("%s", (title) => {
    expect(Object.keys(CHECKS)).toContain(title);
    CHECKS[title]?.();
  });

  it("every check is a rule of the document", () => {
    expect(rulesOf("dockerfile-standards.md")).toEqual(Object.keys(CHECKS));
  });
});
