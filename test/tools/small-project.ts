import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const COPIED = [".biome.json", ".ci", ".githooks", "tsconfig.json", "test/tools", "native/rustfmt.toml"];

/** A repository as small as can be that passes every check; faults are planted in it. */
const FILES: Readonly<Record<string, string>> = {
  ".gitignore": "node_modules\ntarget/\n",
  "package.json": '{\n  "name": "small",\n  "version": "1.0.0",\n  "license": "MIT",\n  "type": "module"\n}\n',
  "package-lock.json":
    '{ "name": "small", "version": "1.0.0", "lockfileVersion": 3, "packages": { "": { "name": "small", "version": "1.0.0", "license": "MIT" } } }\n',
  "src/errors.ts": 'export const ERROR = "error";\n',
  "src/pipeline.ts": 'import { ERROR } from "./errors.ts";\n\nexport const FIRST = ERROR;\n',
  "native/Cargo.toml": '[package]\nname = "small"\nversion = "1.0.0"\nedition = "2024"\nlicense = "MIT"\n\n[workspace]\n',
  "native/Cargo.lock": 'version = 4\n\n[[package]]\nname = "small"\nversion = "1.0.0"\n',
  "native/src/lib.rs": "/// One more.\npub fn next(n: u32) -> u32 {\n    n + 1\n}\n",
};

/** What a program in a project ended with, and all it printed. */
export interface Outcome {
  readonly exit: number | null;
  readonly output: string;
}

/** A project in a folder of its own, removed when disposed of. */
export class SmallProject implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "deadwax-tools-"));
  readonly #programs = join(this.folder, ".programs");

  constructor() {
    for (const path of COPIED) cpSync(join(REPOSITORY, path), join(this.folder, path), { recursive: true, filter: (from) => !from.endsWith(".ts") });
    for (const [path, text] of Object.entries(FILES)) this.write(path, text);
    symlinkSync(join(REPOSITORY, "node_modules"), join(this.folder, "node_modules"));
    this.run("git", ["init", "--quiet"]);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Puts a program that prints `text` and ends with `exit` before all others of that name. */
  pretend(program: string, text: string, exit: number): void {
    this.write(`.programs/${program}`, `#!/bin/sh\ncat <<'END'\n${text}\nEND\nexit ${exit}\n`);
    chmodSync(join(this.#programs, program), 0o755);
  }

  check(...steps: string[]): Outcome {
    return this.run(process.execPath, ["test/tools/check.mjs", ...(steps.length === 0 ? [] : ["--only", steps.join(",")])]);
  }

  run(program: string, args: readonly string[]): Outcome {
    const identity = { GIT_AUTHOR_NAME: "t", GIT_AUTHOR_EMAIL: "t@localhost", GIT_COMMITTER_NAME: "t", GIT_COMMITTER_EMAIL: "t@localhost" };
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      ...identity,
      PATH: `${this.#programs}:${process.env["PATH"]}`,
      CARGO_TARGET_DIR: join(this.folder, "target"),
    };
    for (const name of Object.keys(env)) if (name.startsWith("GIT_") && !(name in identity)) delete env[name]; // this test may run in a hook of its own
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: this.folder, env, encoding: "utf8" });
    return { exit: status, output: stripVTControlCharacters(stdout + stderr) };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
