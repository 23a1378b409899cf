import process from "node:process";
import { pathToFileURL } from "node:url";

// Measures one build of the relay without a network, `measure.ts <folder> <load>`: the core and the writing of frames
// on Node, with a socket that takes everything at once. So every run does the same work in the same order, and its CPU
// time hardly varies. Writes the CPU in µs a message: the least of all slices, because disturbances only add to it.
// Collections of garbage are not in it.

const CLIENTS = 100;
const MESSAGE = "x".repeat(64);
const MESSAGES_IN_SLICE = 4800;
const WARM_UP_SLICES = 100;
const SLICES = 150;
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

async function measure(folder: string, { subprotocol, inTurn }: GuardLoad): Promise<number> {
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
  let least = Number.POSITIVE_INFINITY;
  for (let slice = -WARM_UP_SLICES; slice < SLICES; slice++) {
    const before = process.cpuUsage();
    for (let messages = 0; messages < MESSAGES_IN_SLICE; messages += inTurn) {
      const from = (messages / inTurn) % CLIENTS;
      for (let i = 0; i < inTurn; i++) links[from].onMessage(frameOf(from ^ 1, FIRST_ACK_ID + sent++), false);
      endTurn();
    }
    const { user, system } = process.cpuUsage(before);
    if (slice >= 0) least = Math.min(least, (user + system) / MESSAGES_IN_SLICE);
    if (subprotocol !== undefined) {
      // Every client has received the same count of messages.
      const acknowledgement = Buffer.from(`{"type":"sequenceAck","sequenceId":${sent / CLIENTS}}`);
      for (const link of links) link.onMessage(acknowledgement, false);
      endTurn();
    }
    // Timers, such as the heartbeat's, run here.
    await new Promise(setImmediate);
  }
  return least;
}

const [, , folder = ".", name = ""] = process.argv;
const load = LOADS[name];
if (load === undefined) throw new Error(`Cannot measure the load ${name}: not one of ${Object.keys(LOADS).join(", ")}`);
process.stdout.write(`${await measure(folder, load)}\n`, () => process.exit(0));
