import type { Env, Hono } from "hono";
import type { Relay } from "../core/relay.ts";
import { combineObservers } from "../core/session/combine-observers.ts";
import { createJwtAuthorize } from "../http/jwt.ts";
import { Metrics } from "../http/metrics/metrics.ts";
import type { RuntimeOptions } from "../runtime/options.ts";
import { chooseAddress, type ListenAddress, printAddress, removeStaleSocket } from "./address.ts";
import { listenForAdmin } from "./admin-server.ts";
import { type Config, readConfig } from "./config.ts";
import { host } from "./host.ts";
import type { Log } from "./json-log.ts";
import { observe, openLog } from "./log.ts";
import { addServerRoutes, createAdminApp, servesMetrics } from "./routes.ts";
import { type KeyPair, type KeyPairFiles, readKeyPair, validUntil } from "./tls.ts";
import { VERSION } from "./version.ts";

/** Exit code for wrong settings, as in sysexits.h. */
const EX_CONFIG = 78;

/** A relay and the server that an entry has started for it. */
export interface Listening {
  readonly relay: Relay;
  /** The address with the port that was taken; of a socket of systemd too, if the runtime knows it. */
  readonly address: ListenAddress;
  /**
   * Uses the key pair for new connections. Those that are open go on. Absent where the runtime cannot do that.
   *
   * @throws {Error} When the runtime refuses the key pair.
   */
  replaceKeyPair?(keyPair: KeyPair): void | Promise<void>;
  /** Takes no more connections. Those that are open go on. */
  stopListening(): void;
  /**
   * Stops listening where it still does, and drops all sockets.
   *
   * @param closedConnections Number of connections that the relay's shutdown has closed.
   */
  stop(closedConnections: number): void | Promise<void>;
}

/** Where and how an entry listens. */
export interface ListenOptions {
  readonly address: ListenAddress;
  /** The key pair for TLS; `undefined` without TLS. */
  readonly keyPair: KeyPair | undefined;
  /** Adds the routes that the relay has as a process of its own to those that it has in an app. */
  addRoutes<E extends Env>(routes: Hono<E>, relay: Relay): void;
}

/**
 * Makes a relay with the options, and listens. Each runtime has its own.
 *
 * @throws {CannotListen} When the runtime cannot listen in this way.
 */
export type Listen = (options: RuntimeOptions, listenOptions: ListenOptions) => Listening | Promise<Listening>;

/** A way to listen that the runtime does not have. The message says which. */
export class CannotListen extends Error {}

/**
 * Runs the relay as a process of its own: reads the settings, listens, and prints one line when it does.
 *
 * SIGTERM or SIGINT shuts the relay down: it accepts no new connections, closes the open ones, and exits with 0. This
 * takes `drainDelayMs` and `drainMs`, and 2 s more at the latest. A second signal exits at once. With TLS, SIGHUP reads
 * the certificate and its key again.
 */
export async function start(listen: Listen): Promise<void> {
  const result = readConfig(host.env, host.args);
  if (result.type === "help") {
    host.print(result.text.trimEnd());
    host.exit(0);
  }
  if (result.type === "version") {
    host.print(VERSION);
    host.exit(0);
  }
  if (result.type === "wrong") {
    for (const problem of result.problems) host.printError(problem);
    host.exit(EX_CONFIG);
  }
  const { config, warnings } = result;
  const { address, keyPair } = chooseListening(config);
  const logger = openLog(config.log, host.isTerminal, host.log);
  const exposure = address.type === "tcp" ? warningsOnExposure(config) : [];
  for (const warning of [...warnings, ...exposure]) logger.warning(warning);
  if (config.origins === "*") logger.info("Pages of any origin may connect (RELAY_ORIGINS is *)");

  const { jwtSecret, jwksUrl, jwtAudience, jwtIssuer } = config;
  const checksTokens = jwtSecret !== undefined || jwksUrl !== undefined;
  const metrics = servesMetrics(config) ? new Metrics({ version: VERSION }) : undefined;
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
    basePath: config.basePath,
    authorize: checksTokens
      ? createJwtAuthorize({ secret: jwtSecret, jwksUrl, audience: jwtAudience, issuer: jwtIssuer })
      : undefined,
    observer: metrics === undefined ? observe(logger) : combineObservers(observe(logger), metrics.observer),
  };

  let listening: Listening;
  try {
    if (address.type === "unix") await removeStaleSocket(address.path);
    listening = await listen(options, {
      address,
      keyPair,
      addRoutes: (routes, relay) => addServerRoutes(routes, relay, config, metrics),
    });
  } catch (error) {
    if (error instanceof CannotListen) exitForConfig(error);
    const reason = error instanceof Error ? error.message : String(error);
    const hint = address.type === "tcp" && isPortTaken(error) ? "; choose another with --port" : "";
    host.printError(`Cannot listen on ${printAddress(address)}: ${reason}${hint}`);
    host.exit(1);
  }

  if (config.adminPort > 0) {
    const { adminPort } = config;
    try {
      await listenForAdmin(createAdminApp(listening.relay, config, metrics), adminPort, config.host);
      logger.info(`admin API and metrics on ${printAddress({ type: "tcp", host: config.host, port: adminPort })}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      host.printError(`Cannot listen on the port of RELAY_ADMIN_PORT: ${reason}`);
      host.exit(1);
    }
  }

  const { tlsCert, tlsKey } = config;
  if (tlsCert !== undefined && tlsKey !== undefined) {
    host.onReload(() => reloadKeyPair(listening, { cert: tlsCert, key: tlsKey }, logger));
  }
  let isStopping = false;
  host.onStop(async () => {
    if (isStopping) host.exit(1);
    isStopping = true;
    const { holdings } = listening.relay;
    const noun = holdings.connections === 1 ? "connection" : "connections";
    logger.info(`shutting down with {connections} ${noun}`, { ...holdings });
    const { drainDelayMs: delayMs, drainMs } = config;
    // A drain takes long: who cannot connect goes elsewhere. Without one, a refusal says what happens here.
    const onRefusing = drainMs > 0 ? () => listening.stopListening() : undefined;
    await listening.relay.shutdown({ delayMs, drainMs, onRefusing });
    await listening.stop(holdings.connections);
    host.exit(0);
  });
  // Only now: a signal that comes right after this line must find its listener.
  const scheme = listening.address.type === "tcp" ? `${keyPair === undefined ? "http" : "https"}://` : "";
  host.print(`listening on ${scheme}${printAddress(listening.address)}`);
}

/** Returns where to listen, and the key pair for TLS. Exits where the settings name what is not there. */
function chooseListening(config: Config): Omit<ListenOptions, "addRoutes"> {
  const { tlsCert, tlsKey } = config;
  try {
    const address = chooseAddress(config, host.env, host.pid);
    const trustsUnix = config.trustedProxies?.split(",").some((entry) => entry.trim() === "unix") === true;
    if (trustsUnix && address.type === "tcp") throw new Error("RELAY_TRUSTED_PROXIES has unix, without RELAY_SOCKET");
    const hasFiles = tlsCert !== undefined && tlsKey !== undefined;
    return { address, keyPair: hasFiles ? readKeyPair({ cert: tlsCert, key: tlsKey }) : undefined };
  } catch (error) {
    return exitForConfig(error);
  }
}

function exitForConfig(error: unknown): never {
  host.printError(`Cannot start: ${error instanceof Error ? error.message : String(error)}`);
  host.exit(EX_CONFIG);
}

/** Reads the key pair again, for new connections. Keeps the old one where the new one is not good. */
async function reloadKeyPair(listening: Listening, files: KeyPairFiles, logger: Log): Promise<void> {
  try {
    const keyPair = readKeyPair(files);
    if (listening.replaceKeyPair === undefined) throw new Error("this runtime takes one only at the start");
    await listening.replaceKeyPair(keyPair);
    logger.info("read the certificate again, valid until {validUntil}", { validUntil: validUntil(keyPair) });
  } catch (error) {
    logger.error("kept the old certificate: {reason}", { reason: error instanceof Error ? error.message : `${error}` });
  }
}

/**
 * Returns whether another process listens on the port. The error of node:http has a code for that, Deno's own a name.
 */
function isPortTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "AddrInUse" || ("code" in error && error.code === "EADDRINUSE");
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
