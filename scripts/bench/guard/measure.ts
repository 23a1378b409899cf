import process from "node:process";
import { pathToFileURL } from "node:url";

// Measures two builds of the relay against each other without a network: `measure.ts <first> <second> <load>`. What runs
// is the core and the writing of frames on Node, with a socket that takes everything at once. Both builds are loaded
// into this process and work in turn, a few milliseconds each: what slows the machine down for longer than that, slows
// both. Writes the median, over all pairs of slices, of the CPU of the second to that of the first.

const CLIENTS = 100;
const MESSAGE = "x".repeat(64);
const MESSAGES_IN_SLICE = 3200;
const WARM_UP_PAIRS = 60;
const PAIRS = 60;
/** First `ackId`; all of a run have as many digits. */
const FIRST_ACK_ID = 10_000_000;

interface GuardLoad {
  readonly subprotocol: string | undefined;
  /** Messages of one sender in one turn of the event loop. */
  readonly inTurn: number;
}

const LOADS: Readonly<Record<string, GuardLoad>> = {
  single: { subprotocol: undefined, inTurn: 1 },
  joined: { subprotocol: undefined, inTurn: 16 },
  json: { subprotocol: "relay.v1.json", inTurn: 16 },
};

/** Makes a relay of the build in the folder, and returns what runs a slice on it: the CPU in µs a message. */
async function prepare(folder: string, { subprotocol, inTurn }: GuardLoad): Promise<() => number> {
  const load = (file: string) => import(pathToFileURL(`${folder}/dist/${file}`).href);
  const { Relay, negotiate } = await load("index.js");
  const { NodeConnection } = await load("runtime/node/connection.js");
  const turn: (() => void)[] = [];
  const endTurn = (): void => {
    for (const flush of turn.splice(0)) flush();
  };
  const relay = new Relay({ schedule: (flush: () => void) => turn.push(flush) });
  const socket = {
    writable: true,
    destroyed: false,
    writableLength: 0,
    bytesRead: 0,
    write: (bytes: Uint8Array): boolean => bytes.length > 0,
  };
  const reader = { slowDown: () => {}, stop: () => {} };
  const links = Array.from({ length: CLIENTS }, () =>
    relay.open(new NodeConnection({}, socket, reader), { protocol: negotiate(subprotocol, false) }),
  );
  endTurn();
  /** Returns the frame of the client's next message. Each is a buffer of its own, as from `ws`. */
  const frameOf = (to: number, ackId: number): Buffer =>
    Buffer.from(
      subprotocol === undefined
        ? `${to + 1}:${MESSAGE}`
        : `{"type":"send","to":"${to + 1}","data":"${MESSAGE}","ackId":${ackId}}`,
    );
  let sent = 0;
  return () => {
    const before = process.cpuUsage();
    for (let messages = 0; messages < MESSAGES_IN_SLICE; messages += inTurn) {
      const from = (messages / inTurn) % CLIENTS;
      for (let i = 0; i < inTurn; i++) links[from].onMessage(frameOf(from ^ 1, FIRST_ACK_ID + sent++), false);
      endTurn();
    }
    const { user, system } = process.cpuUsage(before);
    if (subprotocol !== undefined) {
      // Every client has received the same count of messages.
      const acknowledgement = Buffer.from(`{"type":"sequenceAck","sequenceId":${sent / CLIENTS}}`);
      for (const link of links) link.onMessage(acknowledgement, false);
      endTurn();
    }
    return (user + system) / MESSAGES_IN_SLICE;
  };
}

async function measure(first: string, second: string, load: GuardLoad): Promise<number> {
  const runFirst = await prepare(first, load);
  const runSecond = await prepare(second, load);
  const ratios: number[] = [];
  for (let pair = -WARM_UP_PAIRS; pair < PAIRS; pair++) {
    const cost = runFirst();
    const ratio = runSecond() / cost;
    if (pair >= 0) ratios.push(ratio);
    // Timers, such as the heartbeat's, run here.
    await new Promise(setImmediate);
  }
  ratios.sort((a, b) => a - b);
  return ratios[PAIRS / 2] ?? Number.NaN;
}

const [, , first = ".", second = ".", name = ""] = process.argv;
const load = LOADS[name];
if (load === undefined) throw new Error(`Cannot measure the load ${name}: not one of ${Object.keys(LOADS).join(", ")}`);
process.stdout.write(`${await measure(first, second, load)}\n`, () => process.exit(0));
