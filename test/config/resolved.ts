import type { ServeConfig, ServeFlags, Setting } from "../../src/config/serve.ts";
import { resolveServeConfig } from "../../src/config.ts";
import { DumpError } from "../../src/errors.ts";

type Env = Record<string, string>;

/** Enough to choose a contract and a broker. */
export const FANOUT = { RABBITMQ_HOST: "broker" };
export const TOPIC = { AMQP_CONNECTION: "amqp://user:word@broker:5672/" };

/** The settings that an environment gives, with a broker of the fanout contract unless it names its own. */
export function serve(env: Env = {}, flags: ServeFlags = {}): ServeConfig {
  const named = ["AMQP_CONNECTION", "DEADWAX_SINK"].some((name) => name in env) || Object.keys(env).some((name) => name.startsWith("RABBITMQ_"));
  return resolveServeConfig({ flags, env: named ? env : { ...FANOUT, ...env } });
}

/** The URLs that the service opens, passwords and all. */
export function urlsOf({ sinkUrls }: ServeConfig): string[] {
  return sinkUrls.map((url) => url.reveal());
}

/** The same of a service with one sink. */
export function urlOf(config: ServeConfig): string {
  const [url = "", ...more] = urlsOf(config);
  if (more.length > 0) throw new Error(`there are ${more.length + 1} sinks`);
  return url;
}

/** What is wrong with an environment, and what the process would end with; nothing is added to it. */
export function refused(env: Env, flags: ServeFlags = {}): { message: string; exit: number } {
  try {
    resolveServeConfig({ flags, env });
  } catch (error) {
    if (error instanceof DumpError && error.code === "CONFIG_INVALID") return { message: error.message, exit: error.exit };
    throw error;
  }
  throw new Error("nothing was wrong");
}

/** One setting as `validate` shows it. */
export function setting({ settings }: ServeConfig, key: string): Setting | undefined {
  return settings.find((entry) => entry.key === key);
}
