/** What the HTTP port allows a client, whoever it is. */
export const LIMITS = {
  /** Time for the headers of a request, also of the first one of a connection. */
  headersTimeoutMs: 5_000,
  /** Time for a whole request. */
  requestTimeoutMs: 10_000,
  /** Time between two requests of a connection. */
  keepAliveTimeoutMs: 5_000,
  /** A connection on which nothing moves, such as one whose client does not read its answer. */
  socketTimeoutMs: 10_000,
  /** How often the times above are looked at. */
  connectionsCheckingIntervalMs: 1_000,
  headerBytesMax: 16 * 2 ** 10,
  headersMax: 100,
  bodyBytesMax: 16 * 2 ** 10,
  requestsPerSocketMax: 100,
  /** Beyond so many the one that has been idle for longest is closed. */
  socketsMax: 64,
  /** Those that come at the same moment are read once before that; beyond so many they are not. */
  socketsBurstMax: 256,
  /** A connection that is younger may still be about to send its first request, and a request that is younger is not slow. */
  graceMs: 250,
  /** Time for answers under way when the server closes. */
  closeTimeoutMs: 1_000,
} as const;
