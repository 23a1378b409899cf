/** Levels of the log, from everything to nothing. */
export const LEVELS = ["debug", "info", "warning", "error", "off"] as const;
/** Formats of the log. */
export const FORMATS = ["auto", "pretty", "json"] as const;

/** Readers that the metrics are open to. */
export const METRICS = ["key", "open", "off"] as const;

/** Topics of the settings, each with its heading in docs/settings.md, in the order of that page. */
export const TOPICS = {
  listening: "Listening",
  heartbeat: "Heartbeat",
  memory: "Memory",
  connections: "Connections",
  sessions: "Sessions",
  rates: "Rates",
  access: "Access",
  operating: "Operating",
  shutdown: "Shutdown",
  log: "Log",
} as const;

/** One setting. It has one name in the environment; its flag is that name without `RELAY_`, in lower case. */
export interface Setting {
  readonly topic: keyof typeof TOPICS;
  readonly variable: string;
  /** Kind of the value, as `--help` names it; `ms` and `bytes` are its unit. */
  readonly placeholder: string;
  /** One sentence, for `--help` and docs/settings.md: the meaning, the effect on clients, the meaning of 0 or empty. */
  readonly description: string;
  readonly default: string;
  /** Short form of the flag: one letter, such as `p` for `-p`. */
  readonly letter?: string;
  /** Whether its value must not be printed. */
  readonly isSecret?: boolean;
}

/** All settings, by their name in Config. */
export const SETTINGS = {
  host: {
    topic: "listening",
    variable: "HOST",
    placeholder: "address",
    description: "Address to listen on; 0.0.0.0 or :: listens on all interfaces",
    default: "127.0.0.1",
  },
  port: {
    topic: "listening",
    variable: "PORT",
    placeholder: "number",
    description: "Port to listen on; 0 takes any free one",
    default: "8080",
    letter: "p",
  },
  socket: {
    topic: "listening",
    variable: "RELAY_SOCKET",
    placeholder: "path",
    description: "Unix socket to listen on, in place of HOST and PORT; the umask of the process sets its permissions",
    default: "",
  },
  basePath: {
    topic: "listening",
    variable: "RELAY_BASE_PATH",
    placeholder: "path",
    description: "Path in front of all paths of the relay: with /relay, clients connect to /relay/ws",
    default: "",
  },
  tlsCert: {
    topic: "listening",
    variable: "RELAY_TLS_CERT",
    placeholder: "file",
    description:
      "File of a certificate in PEM, with its chain: the relay speaks TLS; SIGHUP has it read both files again",
    default: "",
  },
  tlsKey: {
    topic: "listening",
    variable: "RELAY_TLS_KEY",
    placeholder: "file",
    description: "File of the key of RELAY_TLS_CERT, in PEM, without a passphrase",
    default: "",
  },
  heartbeatMs: {
    topic: "heartbeat",
    variable: "RELAY_HEARTBEAT_MS",
    placeholder: "ms",
    description: "Length of one beat; a client that was silent for a beat is pinged",
    default: "5000",
  },
  heartbeatMisses: {
    topic: "heartbeat",
    variable: "RELAY_HEARTBEAT_MISSES",
    placeholder: "beats",
    description: "Beats without an answer after which a connection is dropped",
    default: "3",
  },
  maxMessageBytes: {
    topic: "memory",
    variable: "RELAY_MAX_MESSAGE_BYTES",
    placeholder: "bytes",
    description: "Largest frame that a client may send, address included; a larger one closes its connection with 1009",
    default: "1048576",
  },
  maxBufferedBytes: {
    topic: "memory",
    variable: "RELAY_MAX_BUFFERED_BYTES",
    placeholder: "bytes",
    description: "Most bytes that may wait for one connection; further messages to it are refused with too_slow",
    default: "1048576",
  },
  maxTotalBufferedBytes: {
    topic: "memory",
    variable: "RELAY_MAX_TOTAL_BUFFERED_BYTES",
    placeholder: "bytes",
    description: "Memory for everything that clients make the relay hold; the slowest readers give way first",
    default: "268435456",
  },
  maxConnections: {
    topic: "connections",
    variable: "RELAY_MAX_CONNECTIONS",
    placeholder: "number",
    description: "Most connections at a time; more are refused with 503 full; 0 sets no bound",
    default: "0",
  },
  maxSessions: {
    topic: "connections",
    variable: "RELAY_MAX_SESSIONS",
    placeholder: "number",
    description:
      "Most sessions at a time, absent clients included; new ones are refused with 503 full; 0 sets no bound",
    default: "0",
  },
  maxConnectionsPerIp: {
    topic: "connections",
    variable: "RELAY_MAX_CONNECTIONS_PER_IP",
    placeholder: "number",
    description:
      "Most connections at a time from one address (IPv6: one /64); more are refused with 429; 0 sets no bound",
    default: "0",
  },
  connectRate: {
    topic: "connections",
    variable: "RELAY_CONNECT_RATE",
    placeholder: "number",
    description: "New connections a second, all together; more are refused with 503 busy; 0 sets no bound",
    default: "0",
  },
  connectRatePerIp: {
    topic: "connections",
    variable: "RELAY_CONNECT_RATE_PER_IP",
    placeholder: "number",
    description:
      "New connections a second from one address (IPv6: one /64); more are refused with 429; 0 sets no bound",
    default: "0",
  },
  maxRoomsPerSession: {
    topic: "sessions",
    variable: "RELAY_MAX_ROOMS_PER_SESSION",
    placeholder: "number",
    description: "Rooms that one session may be in; a further join fails with forbidden",
    default: "100",
  },
  maxWatchesPerSession: {
    topic: "sessions",
    variable: "RELAY_MAX_WATCHES_PER_SESSION",
    placeholder: "number",
    description: "Ids that one session may watch; a further watch fails with forbidden",
    default: "100",
  },
  maxMailboxMessages: {
    topic: "sessions",
    variable: "RELAY_MAX_MAILBOX_MESSAGES",
    placeholder: "number",
    description: "Unacknowledged messages kept for one session; further ones fail with mailbox_full or too_slow",
    default: "1000",
  },
  maxMailboxBytes: {
    topic: "sessions",
    variable: "RELAY_MAX_MAILBOX_BYTES",
    placeholder: "bytes",
    description: "Bytes of unacknowledged messages kept for one session; further messages fail likewise",
    default: "1048576",
  },
  secret: {
    topic: "sessions",
    variable: "RELAY_SECRET",
    placeholder: "secret",
    description: "Key that signs resume tokens; with it, clients get their ids back after the relay was started again",
    default: "",
    isSecret: true,
  },
  resumeMs: {
    topic: "sessions",
    variable: "RELAY_RESUME_MS",
    placeholder: "ms",
    description: "Time that a session of relay.v1.json may be without a connection; 0 ends it with its connection",
    default: "30000",
  },
  rate: {
    topic: "rates",
    variable: "RELAY_RATE",
    placeholder: "number",
    description:
      "Frames a second that one session may send; more are refused with rate_limited, then 1008; 0 sets no bound",
    default: "0",
  },
  rateBurst: {
    topic: "rates",
    variable: "RELAY_RATE_BURST",
    placeholder: "number",
    description: "Frames that one session may send at once after a pause; 0 is twice RELAY_RATE, which is the most",
    default: "0",
  },
  rateBytes: {
    topic: "rates",
    variable: "RELAY_RATE_BYTES",
    placeholder: "bytes",
    description:
      "Bytes of UTF-8 a second that one session may send; more are refused as for RELAY_RATE; 0 sets no bound",
    default: "0",
  },
  ids: {
    topic: "access",
    variable: "RELAY_IDS",
    placeholder: "kind",
    description:
      "Ids of clients without a token: sequential (1, 2, 3 …, with RELAY_SECRET after a mark of the process), or " +
      "random, which nobody can guess",
    default: "sequential",
  },
  origins: {
    topic: "access",
    variable: "RELAY_ORIGINS",
    placeholder: "list",
    description:
      "Origins whose pages may connect, such as https://example.org,https://*.example.org, or * for any; others " +
      "are refused with 403 forbidden_origin",
    default: "*",
  },
  jwtSecret: {
    topic: "access",
    variable: "RELAY_JWT_SECRET",
    placeholder: "secret",
    description: "Key of JWTs signed with HS256; where it is set, a client without a good JWT is refused with 401",
    default: "",
    isSecret: true,
  },
  jwksUrl: {
    topic: "access",
    variable: "RELAY_JWKS_URL",
    placeholder: "url",
    description:
      "Address of the public keys of JWTs signed with RS256, ES256 or EdDSA; where it is set, a client without a " +
      "good JWT is refused with 401",
    default: "",
  },
  jwtAudience: {
    topic: "access",
    variable: "RELAY_JWT_AUDIENCE",
    placeholder: "text",
    description: "Audience (aud) that a JWT must have; needs a key above; empty accepts any",
    default: "",
  },
  jwtIssuer: {
    topic: "access",
    variable: "RELAY_JWT_ISSUER",
    placeholder: "text",
    description: "Issuer (iss) that a JWT must have; needs a key above; empty accepts any",
    default: "",
  },
  apiKeys: {
    topic: "operating",
    variable: "RELAY_API_KEY",
    placeholder: "keys",
    description: "Keys of the admin API, with commas between them; empty turns the API off",
    default: "",
    isSecret: true,
  },
  adminPort: {
    topic: "operating",
    variable: "RELAY_ADMIN_PORT",
    placeholder: "number",
    description: "Port of their own for the admin API and the metrics, which are then open there; 0 for none",
    default: "0",
  },
  metrics: {
    topic: "operating",
    variable: "RELAY_METRICS",
    placeholder: "who",
    description: `Who may read /metrics: ${METRICS.join(", ")}; key asks for a key of the admin API`,
    default: "key",
  },
  trustedProxies: {
    topic: "access",
    variable: "RELAY_TRUSTED_PROXIES",
    placeholder: "list",
    description:
      "Proxies whose X-Forwarded-For or Forwarded tells a client's address, such as 10.0.0.0/8,::1, or unix for " +
      "those that connect to RELAY_SOCKET; empty ignores both headers",
    default: "",
  },
  drainDelayMs: {
    topic: "shutdown",
    variable: "RELAY_DRAIN_DELAY_MS",
    placeholder: "ms",
    description:
      "Time after a signal in which the relay still takes connections, while /readyz answers 503: a load balancer " +
      "needs it to stop sending clients",
    default: "0",
  },
  drainMs: {
    topic: "shutdown",
    variable: "RELAY_DRAIN_MS",
    placeholder: "ms",
    description:
      "Time after that over which clients are closed with 1012, in even batches; the client library connects again " +
      "at once, elsewhere; 0 closes all with 1001 at once",
    default: "0",
  },
  log: {
    topic: "log",
    variable: "RELAY_LOG",
    placeholder: "level[,format]",
    description:
      `Lowest level to log (${LEVELS.join(", ")}), and a format (${FORMATS.join(", ")}); ` +
      "auto is pretty on a terminal and JSON lines otherwise",
    default: "info",
  },
} as const satisfies Record<string, Setting>;
