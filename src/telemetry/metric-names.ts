import { ERROR_CODES, type ErrorCode } from "../errors.ts";
import { CHANGE_TYPES, CONTRACTS, DATA_TYPES } from "../model.ts";

/** What a label can be; null: it is set once, at the start. */
export const LABELS = {
  type: DATA_TYPES,
  reason: ["nacked", "returned", "reconnected"],
  outcome: ["complete", "incomplete", "stopped", "failed"],
  status: ["idle", "running", "completed", "waiting", "failed"],
  code: Object.keys(ERROR_CODES) as ErrorCode[],
  result: ["started", "already_running"],
  path: ["/health", "/ready", "/metrics", "/trigger", "other"],
  answer: ["2xx", "4xx", "5xx"],
  burial: ["deleted", "kept", "absent", "waiting"],
  fate: ["inserted", "updated", "unchanged"],
  change: CHANGE_TYPES,
  contract: CONTRACTS,
  version: null,
  node: null,
} as const satisfies Record<string, readonly string[] | null>;

export type LabelName = keyof typeof LABELS;
export type LabelValue<L extends LabelName> = (typeof LABELS)[L] extends readonly (infer V extends string)[] ? V : string;

interface Metric {
  readonly kind: "counter" | "gauge";
  readonly name: string;
  readonly labels: readonly LabelName[];
  /** What it counts or measures, for `/metrics` and the README. */
  readonly help: string;
  /** A gauge that has no sample before something is known. */
  readonly late: boolean;
}

function counter<const N extends string, const L extends readonly LabelName[]>(name: N, labels: L, help: string) {
  return { kind: "counter", name, labels, help, late: false } as const satisfies Metric;
}

function gauge<const N extends string, const L extends readonly LabelName[]>(name: N, labels: L, help: string, when: "always" | "once known" = "always") {
  return { kind: "gauge", name, labels, help, late: when === "once known" } as const satisfies Metric;
}

/** Every metric of the extractor. Names and labels are API: alert rules and dashboards hold them. */
export const METRICS = {
  info: gauge("deadwax_build_info", ["version", "contract", "node"], "Always 1: which deadwax runs, in which contract, on which Node.js.", "once known"),

  recordsRead: counter("deadwax_records_read_total", ["type"], "Records found in dumps; written + unchanged + rejected + empty + skipped."),
  recordsWritten: counter("deadwax_records_written_total", ["type"], "Records that the sink has accepted."),
  recordsRejected: counter("deadwax_records_rejected_total", ["type"], "Malformed records, and stretches between records, that cannot be delivered."),
  recordsEmpty: counter("deadwax_records_empty_total", ["type"], "Records that are not objects, which have no message."),
  recordsSkipped: counter("deadwax_records_skipped_total", ["type"], "Records that a data quality rule has left out."),
  recordsUnchanged: counter("deadwax_records_unchanged_total", ["type"], "Records that were delivered before as they are; only in incremental mode."),
  unknownIds: counter("deadwax_records_unknown_ids_total", ["type"], "Of the records written: those without a usable id, delivered as unknown."),
  compressedBytes: counter("deadwax_compressed_bytes_total", ["type"], "Bytes of dumps consumed, as they lie on the disk."),
  xmlBytes: counter("deadwax_xml_bytes_total", ["type"], "Bytes of XML of the records read."),
  checkpoints: counter("deadwax_checkpoints_total", ["type"], "Checkpoints saved in the state marker."),
  filesCompleted: counter("deadwax_files_completed_total", ["type"], "Files brought to their end."),
  sinceRecord: gauge("deadwax_since_last_record_seconds", ["type"], "Time since the last record of a type in this run.", "once known"),
  stalled: gauge("deadwax_stalled", ["type"], "1 while a type that is being extracted has had no record for too long, two minutes if not told otherwise."),

  changes: counter("deadwax_changes_total", ["type", "change"], "Incremental mode: ids by what became of them, counted at the end of a run."),
  deletionsHeld: gauge("deadwax_deletions_held", ["type"], "Incremental mode: records that are gone and whose deletion is held back."),
  unusualUpdates: gauge("deadwax_unusual_updates", ["type"], "1 if an unusual share of the records was updated in the last incremental run."),

  messagesConfirmed: counter("deadwax_messages_confirmed_total", [], "Messages that the broker has confirmed."),
  confirmedBytes: counter("deadwax_confirmed_bytes_total", [], "Bytes of the bodies that the broker has confirmed."),
  messagesResent: counter("deadwax_messages_resent_total", ["reason"], "Messages sent once more, by reason."),
  reconnects: counter("deadwax_sink_reconnect_attempts_total", [], "Attempts to connect to a sink again."),
  sinkConnected: gauge(
    "deadwax_sink_connected",
    [],
    "1 while the connections to all sinks stand, 0 while one does not; none while no sink is open.",
    "once known",
  ),
  sinkBlocked: gauge("deadwax_sink_blocked", [], "1 while a sink takes nothing, as a broker under a memory or disk alarm."),

  runs: counter("deadwax_runs_total", ["outcome"], "Runs that ended, by outcome."),
  status: gauge("deadwax_run_status", ["status"], "1 for the status of the service, 0 for the others."),
  runProgress: gauge("deadwax_run_progress_ratio", [], "Part of the compressed bytes of the run that is done, 0 to 1."),
  runSeconds: gauge("deadwax_last_run_duration_seconds", [], "How long the last run took.", "once known"),
  lastSuccess: gauge("deadwax_last_success_timestamp_seconds", [], "When a run last ended complete, in Unix time; 0: not since the start."),
  errors: counter("deadwax_errors_total", ["code"], "Failures, by error code."),
  triggers: counter("deadwax_triggers_total", ["result"], "Runs asked for by POST /trigger."),

  downloadBytes: counter("deadwax_download_bytes_total", [], "Bytes of dumps that were downloaded."),
  downloadRetries: counter("deadwax_download_retries_total", [], "Requests for a listing or a dump that were made once more."),
  rateLimited: counter("deadwax_rate_limited_waits_total", [], "Waits that the source asked for."),
  rateLimitedSeconds: counter("deadwax_rate_limited_seconds_total", [], "Time of those waits."),

  threads: gauge("deadwax_pool_threads", [], "Threads that inflate and parse."),
  freeBytes: gauge("deadwax_data_free_bytes", [], "Free space of the file system with the dumps.", "once known"),
  requests: counter("deadwax_http_requests_total", ["path", "answer"], "HTTP requests, by path and class of the status code."),
  connections: gauge("deadwax_http_connections", [], "Open HTTP connections."),
  evicted: counter("deadwax_http_connections_evicted_total", [], "HTTP connections closed to make room for newer ones."),
} as const;

/** Every metric of a consumer such as `deadwax table`; what is of the process and its port is the extractor's too. */
export const CONSUMER_METRICS = {
  info: METRICS.info,

  messagesReceived: counter("deadwax_messages_received_total", ["type"], "Messages that came from the queues; one that comes again counts again."),
  messagesRedelivered: counter("deadwax_messages_redelivered_total", ["type"], "Of the messages received: those that had been given out before."),
  commits: counter("deadwax_commits_total", ["type"], "Batches that were committed."),
  recordsCommitted: counter("deadwax_records_committed_total", ["type"], "Records of those batches; each is acknowledged then."),
  rows: counter("deadwax_rows_total", ["type", "fate"], "Rows of the records committed: new ones, changed ones and those that were left as they were."),
  rowsPurged: counter("deadwax_rows_purged_total", ["type"], "Rows deleted since a complete version no longer has their records."),
  tombstones: counter(
    "deadwax_tombstones_total",
    ["type", "burial"],
    "Tombstones: rows deleted, rows kept since they have a later record, tombstones without a row, and those remembered until their version's records are all there.",
  ),
  changesDeadLettered: counter("deadwax_changes_dead_letters_total", [], "Messages of changes given to the dead letters."),
  changesSubscribed: gauge("deadwax_changes_subscribed", [], "1 while the queue of changes is consumed."),
  deadLetters: counter("deadwax_dead_letters_total", ["type"], "Messages given to the dead letters."),
  queueMessages: gauge("deadwax_queue_messages", ["type"], "Messages that wait in a queue and were not given out.", "once known"),
  sinceMessage: gauge("deadwax_since_last_message_seconds", ["type"], "Time since the last message of a type.", "once known"),
  consumerStalled: gauge(
    "deadwax_consumer_stalled",
    ["type"],
    "1 while a type whose file is not complete has had no message for too long, two minutes if not told otherwise.",
  ),
  subscribed: gauge("deadwax_subscribed", ["type"], "1 while a queue is consumed."),
  brokerConnected: gauge("deadwax_broker_connected", [], "1 while the connection to the broker stands."),
  brokerReconnects: counter("deadwax_broker_reconnect_attempts_total", [], "Attempts to connect to the broker again."),
  targetAvailable: gauge("deadwax_target_available", [], "1 while the database takes records, 0 while one of its tables does not."),
  targetFailures: counter("deadwax_target_failures_total", ["type"], "Commits that failed and were tried again."),

  errors: METRICS.errors,
  requests: METRICS.requests,
  connections: METRICS.connections,
  evicted: METRICS.evicted,
} as const;

export const ALL_METRICS = { ...METRICS, ...CONSUMER_METRICS } as const;
export type MetricKey = keyof typeof ALL_METRICS;
/** The metrics of one kind of process. */
export type MetricTable = { readonly [K in MetricKey]?: (typeof ALL_METRICS)[K] };
