import { IGNORED_BROKER_SETTINGS } from "../sink/index.ts";
import { isBrokerUrl } from "./broker-url.ts";
import type { Ignored } from "./ignored.ts";

/** One line for each reason, with the names of all that is set in vain because of it: variables, keys of the settings file, settings of URLs. */
export function ignoredWarnings(ignored: readonly Ignored[], env: NodeJS.ProcessEnv, keys: readonly string[], urls: readonly string[]): string[] {
  const namesByReason = new Map<string, string[]>();
  for (const { variable, key, reason } of ignored) {
    const names = [...(variable !== null && (env[variable] ?? "") !== "" ? [variable] : []), ...(key !== null && keys.includes(key) ? [key] : [])];
    if (names.length > 0) namesByReason.set(reason, [...(namesByReason.get(reason) ?? []), ...names]);
  }
  const brokers = urls.filter(isBrokerUrl).map((url) => new URL(url).searchParams);
  const inUrl = IGNORED_BROKER_SETTINGS.filter((key) => brokers.some((settings) => settings.has(key)));
  if (inUrl.length > 0) namesByReason.set("size of frames and number of channels are the broker's, and the login is by user and password", inUrl);
  return [...namesByReason].map(([reason, names]) => `${names.join(", ")} ${names.length === 1 ? "has" : "have"} no effect: ${reason}`);
}
