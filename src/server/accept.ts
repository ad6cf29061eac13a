const TEXT = ["text/plain", "text/*", "application/openmetrics-text"];
const JSON_TYPES = ["application/json", "application/*"];

/** The two forms of `/metrics`. */
export type MetricsForm = "json" | "prometheus";

/** Which form a client asks for; `preferred` where it has no wish, or the same one for both. */
export function metricsForm(accept: string | undefined, preferred: MetricsForm): MetricsForm {
  const qualities = parse(accept ?? "");
  const best = (types: readonly string[]) => Math.max(0, ...types.map((type) => qualities.get(type) ?? 0));
  const text = best(TEXT);
  const json = best(JSON_TYPES);
  if (text === json) return preferred;
  return text > json ? "prometheus" : "json";
}

/** `text/plain;version=0.0.4;q=0.5` → `text/plain` at 0.5; of the same type in several versions the best counts. */
function parse(accept: string): Map<string, number> {
  const qualities = new Map<string, number>();
  for (const range of accept.toLowerCase().split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    const given = parameters.find((parameter) => parameter.startsWith("q="))?.slice("q=".length);
    const quality = given === undefined ? 1 : Number(given);
    if (quality >= 0 && quality <= 1) qualities.set(type, Math.max(quality, qualities.get(type) ?? 0));
  }
  return qualities;
}
