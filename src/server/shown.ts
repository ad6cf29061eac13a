import { hideSecrets } from "../config/secrets.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Answer } from "./answer.ts";
import type { Route } from "./http.ts";

/** A path that shows something and changes nothing. */
export function shown(answer: Route["answer"]): Route {
  return { methods: "GET, HEAD", isReadableByPages: true, answer };
}

/** Every metric in the text format of Prometheus. */
export async function prometheus(metrics: Metrics): Promise<Answer> {
  return { status: 200, body: await metrics.render(), contentType: metrics.contentType };
}

/** The last line of defence: whoever writes these texts keeps secrets out of them. */
export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").replace(/[a-z][a-z0-9+.-]*:\/\/\S+/gi, hideSecrets);
}
