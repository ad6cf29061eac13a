/** Something of upstream's that may be set and changes nothing. */
export interface Ignored {
  /** The variable, or null if there is none. */
  readonly variable: string | null;
  /** The key of the settings file, or null if there is none. */
  readonly key: string | null;
  /** Why, to follow its name and a colon. */
  readonly reason: string;
}

const MUSICBRAINZ = "MusicBrainz dumps are not extracted by this version";
const BUCKET = "the dumps are found on the pages of --source-url; their storage cannot be listed";

const NEVER_CANCELLED = "a consumer is never cancelled, and never disconnects while it is idle";

/** What upstream's table writer reads and `deadwax table` accepts without using it. */
export const TABLE_ACCEPTED_AND_IGNORED: readonly Ignored[] = [
  { variable: "CONSUMER_CANCEL_DELAY", key: null, reason: NEVER_CANCELLED },
  { variable: "QUEUE_CHECK_INTERVAL", key: null, reason: NEVER_CANCELLED },
  { variable: "STUCK_CHECK_INTERVAL", key: null, reason: "a consumer that is lost subscribes again at once" },
  { variable: "STARTUP_IDLE_TIMEOUT", key: null, reason: "idleness is logged at most every 300 s" },
  { variable: "IDLE_LOG_INTERVAL", key: null, reason: "idleness is logged at most every 300 s" },
  { variable: "POSTGRES_POOL_MIN_SIZE", key: null, reason: "there is one connection for each data type" },
  { variable: "POSTGRES_POOL_MAX_SIZE", key: null, reason: "there is one connection for each data type" },
  { variable: "ENVIRONMENT", key: null, reason: "log lines do not carry it" },
];

/** What upstream's extractors read and `deadwax serve` accepts without using it. */
export const ACCEPTED_AND_IGNORED: readonly Ignored[] = [
  {
    variable: "BATCH_SIZE",
    key: "batch_size",
    reason: "messages leave one by one as they are made; how many may wait for the broker is --window-messages and --window-bytes",
  },
  { variable: "QUEUE_SIZE", key: "queue_size", reason: "records wait in no queue; memory is bounded by --threads and --chunk" },
  { variable: "PROGRESS_LOG_INTERVAL", key: "progress_log_interval", reason: "progress is logged by time, after 10, 20 and 30 s and then every 30 s" },
  { variable: "ENVIRONMENT", key: null, reason: "log lines do not carry it" },
  { variable: "MUSICBRAINZ_EXCHANGE_PREFIX", key: null, reason: MUSICBRAINZ },
  { variable: "MUSICBRAINZ_ROOT", key: null, reason: MUSICBRAINZ },
  { variable: "MUSICBRAINZ_DUMP_URL", key: null, reason: MUSICBRAINZ },
  { variable: "DISCOGS_HEALTH_URL", key: null, reason: `only a MusicBrainz run asks it; ${MUSICBRAINZ}` },
  { variable: null, key: "s3_bucket", reason: BUCKET },
  { variable: null, key: "s3_region", reason: BUCKET },
  { variable: null, key: "max_temp_size", reason: "a dump is read as it is stored; nothing is unpacked to disk" },
];
