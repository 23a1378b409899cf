/** What to do about a text frame that is not a message. */
export type Answer =
  | { readonly type: "ready" }
  | { readonly type: "send"; readonly text: string }
  | { readonly type: "nothing" }
  | { readonly type: "unexpected" };

/** How one kind of server spells what the generator says and hears. Clients count from 0 in order of connecting. */
export interface Dialect {
  /** The request target of a client's upgrade. */
  target(client: number): string;
  /** What the upgrade offers as subprotocol. */
  readonly protocol?: string;
  /** Whether the server speaks first, and a client is ready only when `control` says so. */
  readonly greets: boolean;
  /** The payload that has the server deliver `message`, and answer under the `ackId` where there is one. */
  encode(from: number, to: number, message: string, ackId: number | undefined): string;
  /** The payload that arrives then; of the first message, where they are numbered. */
  delivered(from: number, to: number, message: string): string;
  control(text: string): Answer;
  /** What a client says unasked, so that the server knows that it lives. Absent where the server asks. */
  readonly heartbeat?: { readonly everyMs: number; readonly text: string };
  /** Absent where a send has no answer and messages no numbers. */
  readonly acks?: Acks;
  /** Absent where there are no rooms. */
  readonly room?: Room;
}

/** How sends are answered, and how a client says what it has got. */
export interface Acks {
  /** What a client's sends are numbered from, counting up; as long as all that follow in a run. */
  readonly firstId: number;
  /** The answer to a send that went well, or to a publish to so many; all are as long. */
  ack(recipients: number | undefined): string;
  /** How a client says that it has the messages up to this number. */
  acknowledge(sequenceId: number): string;
}

/** How the one room that a load uses is spoken of. */
export interface Room {
  /** The payload that makes a client a member. */
  readonly join: string;
  /** The payload that it gets then, before anything else. */
  joined(client: number): string;
  /** The payload that has the server deliver `message` to all other members. */
  publish(message: string, ackId: number | undefined): string;
  /** The payload that arrives then; of a member's second message, where they are numbered. */
  published(from: number, message: string): string;
}

const READY: Answer = { type: "ready" };
const NOTHING: Answer = { type: "nothing" };
const UNEXPECTED: Answer = { type: "unexpected" };

/** `id:message` in, `message` out; the ids are 1, 2, 3 … in order of connecting. */
const plain: Dialect = {
  target: () => "/ws",
  greets: false,
  encode: (_from, to, message) => `${to + 1}:${message}`,
  delivered: (_from, _to, message) => message,
  control: () => UNEXPECTED,
};

/** Plain, with a room: what the baselines in `peers/` speak. */
const bare: Dialect = {
  ...plain,
  room: {
    join: "join:lobby",
    joined: () => "joined",
    publish: (message) => `#lobby:${message}`,
    published: (_from, message) => message,
  },
};

/** `relay.v1.text`. */
const text: Dialect = {
  target: () => "/ws",
  protocol: "relay.v1.text",
  greets: true,
  encode: (_from, to, message) => `${to + 1}:${message}`,
  delivered: (from, _to, message) => `${from + 1}:${message}`,
  control(line) {
    if (line.startsWith(":welcome ")) return READY;
    return line.startsWith(":joined ") ? NOTHING : UNEXPECTED;
  },
  room: {
    join: ":join lobby",
    joined: (client) => `:joined ${client + 1} lobby`,
    publish: (message) => `#lobby:${message}`,
    published: (from, message) => `${from + 1}#lobby:${message}`,
  },
};

/** Enough digits for an hour of sends at the pace of the fastest server. */
const FIRST_ACK_ID = 10_000_000;

/** `relay.v1.json`. */
const json: Dialect = {
  target: () => "/ws",
  protocol: "relay.v1.json",
  greets: true,
  encode: (_from, to, message, ackId) => JSON.stringify({ type: "send", to: String(to + 1), data: message, ackId }),
  delivered: (from, _to, message) =>
    JSON.stringify({ type: "message", from: String(from + 1), data: message, sequenceId: 1 }),
  control(frame) {
    if (frame === '{"type":"ping"}') return { type: "send", text: '{"type":"pong"}' };
    if (frame.startsWith('{"type":"welcome"')) return READY;
    return frame.startsWith('{"type":"presence"') ? NOTHING : UNEXPECTED;
  },
  acks: {
    firstId: FIRST_ACK_ID,
    ack: (recipients) => JSON.stringify({ type: "ack", ackId: FIRST_ACK_ID, outcome: "delivered", recipients }),
    acknowledge: (sequenceId) => JSON.stringify({ type: "sequenceAck", sequenceId }),
  },
  room: {
    join: '{"type":"join","room":"lobby","ackId":1}',
    joined: () => '{"type":"ack","ackId":1,"outcome":"done"}',
    publish: (message, ackId) => JSON.stringify({ type: "publish", room: "lobby", data: message, ackId }),
    published: (from, message) =>
      JSON.stringify({ type: "message", from: String(from + 1), room: "lobby", data: message, sequenceId: 2 }),
  },
};

/** Engine.IO protocol 4 with Socket.IO protocol 5 in it; each client is in a room of its id's name. */
const socketIo: Dialect = {
  target: (client) => `/socket.io/?EIO=4&transport=websocket&id=${client + 1}`,
  greets: true,
  encode: (_from, to, message) => `42["message","${to + 1}","${message}"]`,
  delivered: (_from, _to, message) => `42["message","${message}"]`,
  control(text) {
    if (text === "2") return { type: "send", text: "3" };
    if (text.startsWith("0{")) return { type: "send", text: "40" };
    return text.startsWith("40{") ? READY : UNEXPECTED;
  },
  room: {
    join: '42["join","lobby"]',
    joined: () => '42["joined","lobby"]',
    publish: (message) => `42["publish","lobby","${message}"]`,
    published: (_from, message) => `42["message","${message}"]`,
  },
};

/** PeerJS: offers between ids, as its browser library sends them. Ids have one width, so that all messages have. */
const peerJs: Dialect = {
  target: (client) => `/peerjs?key=peerjs&id=${peerJsId(client)}&token=t${client}`,
  greets: true,
  encode: (_from, to, message) => JSON.stringify({ type: "OFFER", dst: peerJsId(to), payload: message }),
  delivered: (from, to, message) =>
    JSON.stringify({ type: "OFFER", src: peerJsId(from), dst: peerJsId(to), payload: message }),
  control: (text) => (text === '{"type":"OPEN"}' ? READY : UNEXPECTED),
  // PeerJS's own client says this every 5 s.
  heartbeat: { everyMs: 5000, text: '{"type":"HEARTBEAT"}' },
};

function peerJsId(client: number): string {
  return `c${String(client + 1).padStart(6, "0")}`;
}

const DIALECTS = { plain, bare, text, json, "socket.io": socketIo, peerjs: peerJs } as const satisfies Record<
  string,
  Dialect
>;

export type DialectName = keyof typeof DIALECTS;

export function dialectOf(name: DialectName): Dialect {
  return DIALECTS[name];
}
