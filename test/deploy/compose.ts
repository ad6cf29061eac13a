import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { ROOT } from "./dockerfile.ts";

/** What our files and the projects they are laid over use of a service; see the Compose specification. */
export interface Service {
  readonly image?: string;
  readonly build?: unknown;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number | boolean>>;
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly ports?: readonly string[];
  readonly user?: string;
  readonly init?: boolean;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly healthcheck?: HealthCheck;
  readonly stop_grace_period?: string;
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly [key: string]: unknown;
}

export interface HealthCheck {
  readonly test: readonly string[];
  readonly interval: string;
  readonly timeout: string;
  readonly retries: number;
  readonly start_period: string;
}

export interface Project {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

const RESET = Symbol("!reset");
const resetTag = { tag: "!reset", resolve: () => RESET };

/** Reads a compose file of the repository, and puts variables of `env` or their defaults in. */
export function readCompose(path: string, env: Readonly<Record<string, string>> = {}): Project {
  const raw: unknown = parse(readFileSync(`${ROOT}${path}`, "utf8"), { merge: true, customTags: [resetTag] });
  return interpolate(raw, env) as Project;
}

/** What `docker compose -f base -f overlay` makes of two files: maps are merged, lists joined, everything else replaced, `!reset` removed. */
export function overlay(base: Project, over: Project): Project {
  return merge(base, over) as Project;
}

/** The service of that name; fails if there is none. */
export function serviceOf({ services }: Project, name: string): Service {
  const service = services[name];
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return service;
}

/** `10s` or `1m30s` in seconds. */
export function seconds(duration: string): number {
  const parts = [...duration.matchAll(/(\d+)(m|s)/g)];
  if (parts.map(([text]) => text).join("") !== duration) throw new Error(`${duration} is no duration`);
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unit === "m" ? 60 : 1), 0);
}

function merge(base: unknown, over: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(over)) return [...new Set([...base, ...over])];
  if (!isMap(base) || !isMap(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === RESET) delete merged[key];
    else merged[key] = key in base && !isCommand(key) ? merge(base[key], value) : value;
  }
  return merged;
}

/** These are replaced as a whole. */
function isCommand(key: string): boolean {
  return ["command", "entrypoint", "test"].includes(key);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function interpolate(value: unknown, env: Readonly<Record<string, string>>): unknown {
  if (typeof value === "string") return value.replace(/\$\{(\w+)(?::-([^}]*))?\}/g, (_, name: string, fallback = "") => env[name] || fallback);
  if (Array.isArray(value)) return value.map((item) => interpolate(item, env));
  return isMap(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolate(item, env)])) : value;
}
