import { type Config, readConfig } from "./config.ts";
import type { Relay, RelayOptions } from "./core/relay.ts";
import { observe, openLog } from "./log.ts";
import { host } from "./runtime/host.ts";

/** sysexits.h: something was found in an unconfigured or misconfigured state. */
const EX_CONFIG = 78;

/** A relay and the server that an entry has started for it. */
export interface Listening {
  readonly relay: Relay;
  readonly port: number;
  /** Stops listening and lets go of every socket. */
  stop(): void | Promise<void>;
}

/** Makes a relay with the options and listens on the config's host and port, in the way of one runtime. */
export type Listen = (options: RelayOptions, config: Config) => Listening | Promise<Listening>;

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
  if (result.type === "wrong") {
    for (const problem of result.problems) host.printError(problem);
    host.exit(EX_CONFIG);
  }
  const { config, warnings } = result;
  const logger = openLog(config.log, host.isTerminal, host.printError);
  for (const warning of warnings) logger.warning(warning);

  const options: RelayOptions = {
    heartbeatMs: config.heartbeatMs,
    heartbeatMisses: config.heartbeatMisses,
    limits: {
      maxMessageBytes: config.maxMessageBytes,
      maxBufferedBytes: config.maxBufferedBytes,
      maxConnections: config.maxConnections,
      maxRoomsPerSession: config.maxRoomsPerSession,
    },
    resumeMs: config.resumeMs,
    observer: observe(logger),
  };

  let listening: Listening;
  try {
    listening = await listen(options, config);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    host.printError(`Cannot listen on ${address(config.host, config.port)}: ${reason}`);
    host.exit(1);
  }
  host.print(`listening on http://${address(config.host, listening.port)}`);

  let stopping = false;
  host.onStop(async () => {
    if (stopping) host.exit(1);
    stopping = true;
    logger.info("shutting down");
    await listening.relay.shutdown();
    await listening.stop();
    host.exit(0);
  });
}

function address(hostName: string, port: number): string {
  return `${hostName.includes(":") ? `[${hostName}]` : hostName}:${port}`;
}
