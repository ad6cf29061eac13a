import type { ServiceView } from "../discogs/service-view.ts";
import { DATA_TYPES } from "../model.ts";
import { type Answer, json, refusal } from "./answer.ts";
import { oneLine } from "./shown.ts";

/** The name under which upstream's extractor answers in both generations; whoever looks for it finds it. */
const SERVICE = "rust-extractor";

/** `GET /health`: always 200, healthy as long as there is somebody to answer. How the run stands is in the body. */
export function health(view: ServiceView, now: Date): Answer {
  const { mode, version, currentTask, fraction, errorMessage } = view;
  return json(200, {
    ...(view.contract === "fanout" ? fanoutParts(view) : topicParts(view, now)),
    current_task: currentTask,
    progress: fraction,
    service: SERVICE,
    status: "healthy",
    timestamp: now.toISOString().replace("Z", "+00:00"), // as upstream's, which older Pythons read too
    mode,
    version,
    ...(errorMessage === null ? {} : { error_message: oneLine(errorMessage) }),
  });
}

/** `GET /ready`: whether work can be done right now. */
export function ready({ unreadyReason }: ServiceView): Answer {
  return unreadyReason === null ? { status: 200, body: "" } : json(503, { reason: oneLine(unreadyReason) });
}

/** Generation B: seconds since the last record, null for none; `release_groups` belongs to another source and is never filled. */
function fanoutParts({ status, progress, secondsSinceRecord }: ServiceView): object {
  return {
    extraction_progress: { ...progress, release_groups: 0, total: total(progress) },
    extraction_status: status,
    last_extraction_time: { ...secondsSinceRecord, release_groups: null },
  };
}

/** Generation A: numbers only. As in its Python form they are Unix seconds, 0 for none; what its Rust form sends there means nothing. */
function topicParts({ progress, secondsSinceRecord }: ServiceView, now: Date): object {
  const times = DATA_TYPES.map((type) => {
    const seconds = secondsSinceRecord[type];
    return [type, seconds === null ? 0 : now.getTime() / 1000 - seconds] as const;
  });
  return { extraction_progress: { ...progress, total: total(progress) }, last_extraction_time: Object.fromEntries(times) };
}

/** Upstream's `/metrics`: whole numbers, all unsigned. */
export function countsBody(view: ServiceView): Answer {
  const { contract, progress, active, completedFiles, errors } = view;
  const counts = DATA_TYPES.map((type) => [`extraction_progress_${type}`, progress[type]] as const);
  return json(200, {
    ...Object.fromEntries(counts),
    ...(contract === "fanout" ? { extraction_progress_release_groups: 0 } : {}),
    extraction_progress_total: total(progress),
    active_connections: active.length,
    completed_files: completedFiles,
    error_count: errors,
  });
}

export const NOT_FOUND = refusal(404, "there is no such path; try /health, /ready, /metrics or /trigger");

function total(progress: ServiceView["progress"]): number {
  return DATA_TYPES.reduce((sum, type) => sum + progress[type], 0);
}
