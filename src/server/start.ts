import { readFileSync } from "node:fs";
import type { Relay } from "../core/relay.ts";
import { createJwtAuthorize } from "../http/jwt.ts";
import type { RuntimeOptions } from "../runtime/options.ts";
import { type Config, readConfig } from "./config.ts";
import { host } from "./host.ts";
import { observe, openLog } from "./log.ts";

/** sysexits.h: something was found in an unconfigured or misconfigured state. */
const EX_CONFIG = 78;

/** A relay and the server that an entry has started for it. */
export interface Listening {
  readonly relay: Relay;
  readonly port: number;
  /**
   * Stops listening and lets go of every socket.
   *
   * @param closed How many connections the relay has just closed.
   */
  stop(closed: number): void | Promise<void>;
}

/** Makes a relay with the options and listens on the config's host and port, in the way of one runtime. */
export type Listen = (options: RuntimeOptions, config: Config) => Listening | Promise<Listening>;

/**
 * What every entry does: reads the settings, makes the relay, listens, says so in one line, and shuts down on SIGTERM and
 * SIGINT: no new connections, 1001 to all, at most 2 s, exit 0. A second signal exits at once.
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
  const logger = openLog(config.log, host.isTerminal, host.printError);
  for (const warning of [...warnings, ...exposure(config)]) logger.warning(warning);
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
    host.printError(`Cannot listen on ${address(config.host, config.port)}: ${reason}${hint}`);
    host.exit(1);
  }
  host.print(`listening on http://${address(config.host, listening.port)}`);

  let stopping = false;
  host.onStop(async () => {
    if (stopping) host.exit(1);
    stopping = true;
    const { holdings } = listening.relay;
    const noun = holdings.connections === 1 ? "connection" : "connections";
    logger.info(`shutting down with {connections} ${noun}`, { ...holdings });
    await listening.relay.shutdown();
    await listening.stop(holdings.connections);
    host.exit(0);
  });
}

/** Node, and node:http everywhere, put EADDRINUSE into the code; Deno's own error has a name for it. */
function isPortTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "AddrInUse" || ("code" in error && error.code === "EADDRINUSE");
}

/** The package's version. package.json stands beside `src`, and beside `dist`. */
function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return String(version);
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** What anybody may do to a relay that listens to more than its own machine. */
function exposure({ host: hostName, jwtSecret, jwksUrl, origins, rate }: Config): string[] {
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

function address(hostName: string, port: number): string {
  return `${hostName.includes(":") ? `[${hostName}]` : hostName}:${port}`;
}
