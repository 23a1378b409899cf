/** What the log may show, from all to nothing. */
export const LEVELS = ["debug", "info", "warning", "error", "off"] as const;
/** How it may look. */
export const FORMATS = ["auto", "pretty", "json"] as const;

/** One setting: the same name in the environment and, without `RELAY_` and in lower case, as a flag. */
export interface Setting {
  readonly variable: string;
  readonly placeholder: string;
  readonly description: string;
  readonly default: string;
  /** One letter, as a flag that means the same. */
  readonly letter?: string;
  /** Whether nobody may read its value in an error. */
  readonly isSecret?: boolean;
}

/** Every setting there is, by its name in Config. */
export const SETTINGS = {
  host: { variable: "HOST", placeholder: "address", description: "Address to listen on", default: "127.0.0.1" },
  port: {
    variable: "PORT",
    placeholder: "number",
    description: "Port to listen on; 0 takes any free one",
    default: "8080",
    letter: "p",
  },
  heartbeatMs: {
    variable: "RELAY_HEARTBEAT_MS",
    placeholder: "ms",
    description: "One beat: a silent connection is pinged this often",
    default: "5000",
  },
  heartbeatMisses: {
    variable: "RELAY_HEARTBEAT_MISSES",
    placeholder: "beats",
    description: "Unanswered beats after which a connection is dropped",
    default: "3",
  },
  maxMessageBytes: {
    variable: "RELAY_MAX_MESSAGE_BYTES",
    placeholder: "bytes",
    description: "Largest frame a client may send, address included; a larger one closes its connection with 1009",
    default: "1048576",
  },
  maxBufferedBytes: {
    variable: "RELAY_MAX_BUFFERED_BYTES",
    placeholder: "bytes",
    description: "With more than this waiting for a connection, further messages to it are refused",
    default: "1048576",
  },
  maxTotalBufferedBytes: {
    variable: "RELAY_MAX_TOTAL_BUFFERED_BYTES",
    placeholder: "bytes",
    description: "Memory for all that clients make the relay hold; who reads least gives way first",
    default: "268435456",
  },
  maxConnections: {
    variable: "RELAY_MAX_CONNECTIONS",
    placeholder: "number",
    description: "Connections at the same time, then 503; 0 sets no bound",
    default: "0",
  },
  maxSessions: {
    variable: "RELAY_MAX_SESSIONS",
    placeholder: "number",
    description: "Sessions at the same time, with those that are away, then 503 for new ones; 0 sets no bound",
    default: "0",
  },
  maxConnectionsPerIp: {
    variable: "RELAY_MAX_CONNECTIONS_PER_IP",
    placeholder: "number",
    description: "Connections at the same time from one address (IPv6: from one /64), then 429; 0 sets no bound",
    default: "0",
  },
  connectRate: {
    variable: "RELAY_CONNECT_RATE",
    placeholder: "number",
    description: "New connections a second, then 503; 0 sets no bound",
    default: "0",
  },
  connectRatePerIp: {
    variable: "RELAY_CONNECT_RATE_PER_IP",
    placeholder: "number",
    description: "New connections a second from one address, then 429; 0 sets no bound",
    default: "0",
  },
  maxRoomsPerSession: {
    variable: "RELAY_MAX_ROOMS_PER_SESSION",
    placeholder: "number",
    description: "Rooms that one session may be in",
    default: "100",
  },
  maxWatchesPerSession: {
    variable: "RELAY_MAX_WATCHES_PER_SESSION",
    placeholder: "number",
    description: "Ids that one session may watch",
    default: "100",
  },
  maxMailboxMessages: {
    variable: "RELAY_MAX_MAILBOX_MESSAGES",
    placeholder: "number",
    description: "Messages that wait for one session at the most",
    default: "1000",
  },
  maxMailboxBytes: {
    variable: "RELAY_MAX_MAILBOX_BYTES",
    placeholder: "bytes",
    description: "The same in bytes",
    default: "1048576",
  },
  rate: {
    variable: "RELAY_RATE",
    placeholder: "number",
    description: "Frames that one session may send a second; 0 sets no bound",
    default: "0",
  },
  rateBurst: {
    variable: "RELAY_RATE_BURST",
    placeholder: "number",
    description: "Frames that it may send at once after a pause; 0: twice RELAY_RATE, which is the most",
    default: "0",
  },
  rateBytes: {
    variable: "RELAY_RATE_BYTES",
    placeholder: "bytes",
    description: "Bytes that one session may send a second; 0 sets no bound",
    default: "0",
  },
  ids: {
    variable: "RELAY_IDS",
    placeholder: "kind",
    description:
      "sequential: 1, 2, 3 …, with RELAY_SECRET after a mark of the process; random: ids that nobody can guess",
    default: "sequential",
  },
  origins: {
    variable: "RELAY_ORIGINS",
    placeholder: "list",
    description: "Origins whose pages may connect, such as https://example.org,https://*.example.org; * for any",
    default: "*",
  },
  jwtSecret: {
    variable: "RELAY_JWT_SECRET",
    placeholder: "secret",
    description: "Only who has a JWT that is signed with this (HS256) may connect",
    default: "",
    isSecret: true,
  },
  jwksUrl: {
    variable: "RELAY_JWKS_URL",
    placeholder: "url",
    description: "Only who has a JWT that is signed with one of these keys (RS256, ES256, EdDSA) may connect",
    default: "",
  },
  jwtAudience: {
    variable: "RELAY_JWT_AUDIENCE",
    placeholder: "text",
    description: "What aud of a JWT must be",
    default: "",
  },
  jwtIssuer: {
    variable: "RELAY_JWT_ISSUER",
    placeholder: "text",
    description: "What iss of a JWT must be",
    default: "",
  },
  secret: {
    variable: "RELAY_SECRET",
    placeholder: "secret",
    description: "Signs resume tokens, so that clients get their ids back when the relay has been started again",
    default: "",
    isSecret: true,
  },
  trustedProxies: {
    variable: "RELAY_TRUSTED_PROXIES",
    placeholder: "list",
    description: "Proxies whose X-Forwarded-For or Forwarded counts, such as 10.0.0.0/8,::1",
    default: "",
  },
  resumeMs: {
    variable: "RELAY_RESUME_MS",
    placeholder: "ms",
    description: "How long a session of relay.v1.json may be without a connection; 0 ends it with its connection",
    default: "30000",
  },
  log: {
    variable: "RELAY_LOG",
    placeholder: "level[,format]",
    description: `Log ${LEVELS.join(", ")} and above, as ${FORMATS.join(", ")}; auto is pretty on a terminal, JSON lines otherwise`,
    default: "info",
  },
} as const satisfies Record<string, Setting>;
