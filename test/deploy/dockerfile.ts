import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** One instruction, its continuation lines joined: `{ keyword: "RUN", text: "npm ci && …" }`. */
export interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

/** What begins with a `FROM`. */
export interface Stage {
  /** As written: `${BASE}`, or the name of an earlier stage. */
  readonly base: string;
  readonly name: string | null;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** Defaults of the arguments before the first `FROM`. */
  readonly args: Readonly<Record<string, string>>;
  readonly stages: readonly Stage[];
  readonly build: Stage;
  /** The last stage, which becomes the image. */
  readonly image: Stage;
}

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Reads the Dockerfile at the top of the repository. */
export function readDockerfile(): Dockerfile {
  const text = readFileSync(`${ROOT}Dockerfile`, "utf8");
  const lines = text.replace(/^\s*#.*\n/gm, "").replace(/\\\n\s*/g, "");
  const args: Record<string, string> = {};
  const stages: { base: string; name: string | null; instructions: Instruction[] }[] = [];
  for (const line of lines.split("\n").filter((candidate) => candidate.trim() !== "")) {
    const [, keyword = "", rest = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    const [, base = "", name = null] = keyword === "FROM" ? (/^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? []) : [];
    const [argument = "", fallback = ""] = rest.split(/=(.*)/s);
    if (keyword === "FROM") stages.push({ base, name, instructions: [] });
    else if (stages.length > 0) stages.at(-1)?.instructions.push({ keyword, text: rest });
    else if (keyword === "ARG") args[argument] = fallback;
    else throw new Error(`${keyword} before the first FROM`);
  }
  const build = stages.find(({ name }) => name === "build");
  const image = stages.at(-1);
  if (build === undefined || image === undefined) throw new Error("the Dockerfile has no build stage");
  return { args, stages, build, image };
}

/** The texts of a stage's instructions of one kind. */
export function texts(stage: Stage, keyword: string): string[] {
  return stage.instructions.filter((instruction) => instruction.keyword === keyword).map(({ text }) => text);
}

/** The text of the only instruction of that kind; fails if there is none or another. */
export function textOf(stage: Stage, keyword: string): string {
  const [text, ...others] = texts(stage, keyword);
  if (text === undefined || others.length > 0) throw new Error(`the stage has ${others.length + (text === undefined ? 0 : 1)} ${keyword}, not one`);
  return text;
}

/** Where a program of the image leads to, by the links that the build stage makes: `{ extractor: "/app/deploy/entrypoint.mjs" }`. */
export function programs({ build }: Dockerfile): Record<string, string> {
  const links = texts(build, "RUN").flatMap((text) => [...text.matchAll(/\bln -s (\S+) \/out\/usr\/local\/bin\/(\S+)/g)]);
  return Object.fromEntries(links.map(([, target = "", name = ""]) => [name, target]));
}

/** The numbered rules of a document below `docs/`, by their bold titles. */
export function rulesOf(document: string): string[] {
  const found = readFileSync(`${ROOT}docs/${document}`, "utf8").matchAll(/^(\d+)\. \*\*(.+?)\.\*\*/gm);
  return [...found].map(([, , title = ""]) => title);
}
