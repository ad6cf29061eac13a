import type { ServiceView } from "../discogs/service-view.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ServerEvents } from "../telemetry/server-events.ts";
import { type MetricsForm, metricsForm } from "./accept.ts";
import { countsBody, health, NOT_FOUND, ready } from "./health.ts";
import { type Place, type Route, type RunningServer, startHttp } from "./http.ts";
import { prometheus, shown } from "./shown.ts";
import { trigger } from "./trigger.ts";

export interface ServerOptions extends Place {
  /** What `POST /trigger` asks for; null: nothing, as upstream. */
  readonly token: string | null;
  /** What `/metrics` sends to a client without a wish. */
  readonly metrics: MetricsForm;
}

/** Shows `view` and `metrics` of the service by HTTP, and takes requests for runs. */
export function startServer(options: ServerOptions, view: ServiceView, metrics: Metrics, events: ServerEvents): Promise<RunningServer> {
  const { token } = options;
  const onTriggered = (force: boolean, result: "started" | "already_running") => events.triggered(force, result);
  const routes = {
    "/health": shown(() => health(view, new Date())),
    "/ready": shown(() => ready(view)),
    "/metrics": shown(async ({ headers }) => {
      const isText = metricsForm(headers.accept, options.metrics) === "prometheus";
      const answer = isText ? await prometheus(metrics) : countsBody(view);
      return { ...answer, headers: { Vary: "Accept" } };
    }),
    "/trigger": { methods: "POST", isReadableByPages: false, answer: (request) => trigger(request, { view, token, onTriggered }) },
  } as const satisfies Record<string, Route>;
  return startHttp(options, { routes, notFound: NOT_FOUND, isTriggerOpen: token === null }, events);
}
