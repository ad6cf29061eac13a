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
