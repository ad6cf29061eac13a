import type { ConsumerView } from "../consume/board.ts";
import { DATA_TYPES } from "../model.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ServerEvents } from "../telemetry/server-events.ts";
import { type Answer, json, refusal } from "./answer.ts";
import { type Place, type RunningServer, startHttp } from "./http.ts";
import { oneLine, prometheus, shown } from "./shown.ts";

/** A type with a message in this time is being processed. */
const PROCESSING_MS = 10_000;
const OK = 200;
const UNAVAILABLE = 503;
const NOT_FOUND = refusal(404, "there is no such path; try /health, /ready or /metrics");

/** Shows `view` and `metrics` of a consumer by HTTP. */
export function startConsumerServer(place: Place, view: ConsumerView, metrics: Metrics, events: ServerEvents): Promise<RunningServer> {
  const routes = {
    "/health": shown(() => consumerHealth(view, new Date())),
    "/ready": shown(() => (view.fault === null ? { status: OK, body: "" } : json(UNAVAILABLE, { reason: oneLine(view.fault) }))),
    "/metrics": shown(() => prometheus(metrics)),
  };
  return startHttp(place, { routes, notFound: NOT_FOUND, isTriggerOpen: false }, events);
}

/** `GET /health` as upstream's later writers answer it: 200 only while records could be stored. */
export function consumerHealth(view: ConsumerView, now: Date): Answer {
  const { service, status, fault, types } = view;
  const each = <T>(value: (dataType: (typeof DATA_TYPES)[number]) => T) => Object.fromEntries(DATA_TYPES.map((type) => [type, value(type)]));
  return json(status === "healthy" ? OK : UNAVAILABLE, {
    status,
    service,
    current_task: taskOf(view, now),
    progress: progressOf(view),
    message_counts: each((type) => types[type].messages),
    last_message_time: each((type) => (types[type].lastMessageAt ?? 0) / 1000),
    active_consumers: DATA_TYPES.filter((type) => types[type].isSubscribed),
    completed_files: DATA_TYPES.filter((type) => types[type].isComplete),
    timestamp: now.toISOString().replace("Z", "+00:00"),
    ...(fault === null ? {} : { error_message: oneLine(fault) }),
  });
}

function taskOf({ status, types, fault }: ConsumerView, now: Date): string {
  if (status === "starting") return "Initializing";
  if (status === "unhealthy") return `STUCK: ${oneLine(fault ?? "")}`;
  const active = DATA_TYPES.filter((type) => now.getTime() - (types[type].lastMessageAt ?? 0) < PROCESSING_MS);
  return active.length > 0 ? `Processing ${active.join(", ")}` : "Idle - waiting for messages";
}

/** Part of the messages known of that have come: 1 with empty queues, 0 before anything is known. */
function progressOf({ types }: ConsumerView): number {
  let come = 0;
  let waiting = 0;
  for (const { messages, waiting: left } of Object.values(types)) {
    come += messages;
    waiting += left ?? 0;
  }
  return come + waiting === 0 ? 0 : come / (come + waiting);
}
