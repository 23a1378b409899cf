import { readFileSync } from "node:fs";
import type { Relay } from "../core/relay.ts";
import { createJwtAuthorize } from "../http/jwt.ts";
import type { RuntimeOptions } from "../runtime/options.ts";
import { type Config, readConfig } from "./config.ts";
import { host } from "./host.ts";
import { observe, openLog } from "./log.ts";

/** Exit code for wrong settings, as in sysexits.h. */
const EX_CONFIG = 78;

/** A relay and the server that an entry has started for it. */
export interface Listening {
  readonly relay: Relay;
  readonly port: number;
  /** Takes no more connections. Those that are open go on. */
  stopListening(): void;
  /**
   * Drops all sockets.
   *
   * @param closedConnections Number of connections that the relay's shutdown has closed.
   */
  stop(closedConnections: number): void | Promise<void>;
}

/** Makes a relay with the options, and listens on the config's host and port. Each runtime has its own. */
export type Listen = (options: RuntimeOptions, config: Config) => Listening | Promise<Listening>;

/**
 * Runs the relay as a process of its own: reads the settings, listens, and prints one line when it does.
 *
 * SIGTERM or SIGINT shuts the relay down: it accepts no new connections, closes the open ones, and exits with 0. This
 * takes `drainDelayMs` and `drainMs`, and 2 s more at the latest. A second signal exits at once.
 */
export async function start(listen: Listen): Promise<void> {
  const result = readConfig(host.env, host.args);
  if (result.type === "help") {
    host.print(result.text.trimEnd());
    host.exit(0);
  }
  if (result.type === "version") {
    host.print(readVersion());
    host.exit(0);
  }
  if (result.type === "wrong") {
    for (const problem of result.problems) host.printError(problem);
    host.exit(EX_CONFIG);
  }
  const { config, warnings } = result;
  const logger = openLog(config.log, host.isTerminal, host.log);
  for (const warning of [...warnings, ...warningsOnExposure(config)]) logger.warning(warning);
  if (config.origins === "*") logger.info("Pages of any origin may connect (RELAY_ORIGINS is *)");

  const { jwtSecret, jwksUrl, jwtAudience, jwtIssuer } = config;
  const checksTokens = jwtSecret !== undefined || jwksUrl !== undefined;
  const options: RuntimeOptions = {
    heartbeatMs: config.heartbeatMs,
    heartbeatMisses: config.heartbeatMisses,
    limits: {
      maxMessageBytes: config.maxMessageBytes,
      maxBufferedBytes: config.maxBufferedBytes,
      maxTotalBufferedBytes: config.maxTotalBufferedBytes,
      maxConnections: config.maxConnections,
      maxSessions: config.maxSessions,
      maxRoomsPerSession: config.maxRoomsPerSession,
      maxWatchesPerSession: config.maxWatchesPerSession,
      maxMailboxMessages: config.maxMailboxMessages,
      maxMailboxBytes: config.maxMailboxBytes,
      maxMessagesPerSecond: config.rate,
      maxMessageBurst: config.rateBurst,
      maxBytesPerSecond: config.rateBytes,
    },
    ids: config.ids,
    secret: config.secret,
    resumeMs: config.resumeMs,
    maxConnectionsPerIp: config.maxConnectionsPerIp,
    connectRate: config.connectRate,
    connectRatePerIp: config.connectRatePerIp,
    origins: config.origins,
    trustedProxies: config.trustedProxies,
    authorize: checksTokens
      ? createJwtAuthorize({ secret: jwtSecret, jwksUrl, audience: jwtAudience, issuer: jwtIssuer })
      : undefined,
    observer: observe(logger),
  };

  let listening: Listening;
  try {
    listening = await listen(options, config);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = isPortTaken(error) ? "; choose another with --port" : "";
    host.printError(`Cannot listen on ${hostAndPort(config.host, config.port)}: ${reason}${hint}`);
    host.exit(1);
  }
  let isStopping = false;
  host.onStop(async () => {
    if (isStopping) host.exit(1);
    isStopping = true;
    const { holdings } = listening.relay;
    const noun = holdings.connections === 1 ? "connection" : "connections";
    logger.info(`shutting down with {connections} ${noun}`, { ...holdings });
    const { drainDelayMs: delayMs, drainMs } = config;
    await listening.relay.shutdown({ delayMs, drainMs, onRefusing: () => listening.stopListening() });
    await listening.stop(holdings.connections);
    host.exit(0);
  });
  // Only now: a signal that comes right after this line must find its listener.
  host.print(`listening on http://${hostAndPort(config.host, listening.port)}`);
}

/**
 * Returns whether another process listens on the port. The error of node:http has a code for that, Deno's own a name.
 */
function isPortTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "AddrInUse" || ("code" in error && error.code === "EADDRINUSE");
}

/** Reads the package's version. The path is right from `src` and from `dist`, which are both beside package.json. */
function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return String(version);
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** Returns a warning where other machines can reach the relay, and an access setting is open to any client. */
function warningsOnExposure({ host: hostName, jwtSecret, jwksUrl, origins, rate }: Config): string[] {
  if (LOOPBACK.test(hostName)) return [];
  const open = [
    ...(jwtSecret === undefined && jwksUrl === undefined
      ? ["anybody may connect (RELAY_JWT_SECRET, RELAY_JWKS_URL)"]
      : []),
    ...(origins === "*" ? ["from the pages of any origin (RELAY_ORIGINS)"] : []),
    ...(Number.isFinite(rate) ? [] : ["and send as much as they like (RELAY_RATE)"]),
  ];
  return open.length === 0 ? [] : [`On ${hostName} this relay is open: ${open.join(", ")}`];
}

function hostAndPort(hostName: string, port: number): string {
  return `${hostName.includes(":") ? `[${hostName}]` : hostName}:${port}`;
}
