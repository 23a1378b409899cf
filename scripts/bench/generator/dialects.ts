/** Reaction to a text frame that is not a message. */
export type Answer =
  | { readonly type: "ready" }
  | { readonly type: "send"; readonly text: string }
  | { readonly type: "nothing" }
  | { readonly type: "unexpected" };

/** Frames that the generator exchanges with one kind of server. Clients are numbered from 0, in order of connecting. */
export interface Dialect {
  /** Returns the request target of a client's upgrade. A client that comes back has a ticket. */
  target(client: number, ticket?: string): string;
  /** Subprotocol that the upgrade offers. */
  readonly protocol?: string;
  /** Whether the server sends the first frame; a client is then ready when `control` says so. */
  readonly greets: boolean;
  /** Returns the payload that sends the message, with the `ackId` where there is one. */
  encode(from: number, to: number, message: string, ackId: number | undefined): string;
  /** Returns the payload that the receiver gets. Where messages have numbers, it has this one; default: 1. */
  delivered(from: number, to: number, message: string, sequenceId?: number): string;
  /** Removes what the server appends to each message, in varying length. Absent where it appends nothing. */
  withoutSuffix?(payload: string): string;
  /** Returns the reaction to a text frame that is not a message. A client that comes back has a ticket. */
  control(text: string, ticket?: string): Answer;
  /** Frame that a client sends at intervals so that the server keeps it. Absent where the server pings. */
  readonly heartbeat?: { readonly everyMs: number; readonly text: string };
  /** Absent where a send has no answer and messages have no numbers. */
  readonly acks?: Acks;
  /** Absent where there are no rooms. */
  readonly room?: Room;
  /** Absent where a client that comes back is a new one to the server. */
  readonly resuming?: Resuming;
}

/** How a client that lost its connection goes on with its session, and gets the messages that it missed. */
export interface Resuming {
  /** Returns the ticket that the client shows, from the frame that made it ready and its latest message. */
  ticket(welcome: string, message: string): string;
  /** Whether this frame welcomes a client with this ticket to the session that it had. */
  isResumed(welcome: string, ticket: string): boolean;
}

/** Acks of the server for sends, and of a client for messages. */
export interface Acks {
  /** First `ackId` of a client, which counts up. All `ackId`s of a run have the same length. */
  readonly firstId: number;
  /** Returns the ack of a send, or of a publish to this count of recipients. All acks have the same length. */
  ack(recipients: number | undefined): string;
  /** Returns the payload that acknowledges the messages up to this number. */
  acknowledge(sequenceId: number): string;
}

/** Frames of the one room that a load uses. */
export interface Room {
  /** Payload that joins a client. */
  readonly join: string;
  /** Returns the answer to the join. */
  joined(client: number): string;
  /** Returns the payload that publishes the message to all other members. */
  publish(message: string, ackId: number | undefined): string;
  /** Returns the payload that a member gets. Where messages have numbers, it is that of the member's second message. */
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

/** Plain with a room, the dialect of the baselines in `peers/`. */
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

/** Has enough digits for an hour of sends at the rate of the fastest server. */
const FIRST_ACK_ID = 10_000_000;

/** `relay.v1.json`. */
const json: Dialect = {
  target: (_client, ticket) => (ticket === undefined ? "/ws" : `/ws?resume=${ticket}`),
  protocol: "relay.v1.json",
  greets: true,
  encode: (_from, to, message, ackId) => JSON.stringify({ type: "send", to: String(to + 1), data: message, ackId }),
  delivered: (from, _to, message, sequenceId = 1) =>
    JSON.stringify({ type: "message", from: String(from + 1), data: message, sequenceId }),
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
  resuming: {
    ticket: (welcome) => /"resumeToken":"([^"]+)"/.exec(welcome)?.[1] ?? "",
    isResumed: (welcome) => welcome.includes('"resumed":true,"recovered":true'),
  },
};

/** Engine.IO protocol 4 with Socket.IO protocol 5 in it. Each client is in a room that has its id as name. */
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

/** `socketIo` with connection state recovery: the server adds an offset to each message. */
const socketIoRecovering: Dialect = {
  ...socketIo,
  withoutSuffix: (payload) => payload.replace(/,"[^"]+"\]$/, "]"),
  control: (text, ticket) =>
    text.startsWith("0{") ? { type: "send", text: `40${ticket ?? ""}` } : socketIo.control(text),
  resuming: {
    ticket: (welcome, message) => {
      const [, pid] = /"pid":"([^"]+)"/.exec(welcome) ?? [];
      const [, offset] = /,"([^"]+)"\]$/.exec(message) ?? [];
      return JSON.stringify({ pid, offset });
    },
    // The session id is a new one where the server has not recovered the state.
    isResumed: (welcome, ticket) => welcome.includes(ticket.slice(1, ticket.indexOf(","))),
  },
};

/** PeerJS: offers, as its browser library sends them. Ids have the same length, so that all messages have. */
const peerJs: Dialect = {
  target: (client) => `/peerjs?key=peerjs&id=${peerJsId(client)}&token=t${client}`,
  greets: true,
  encode: (_from, to, message) => JSON.stringify({ type: "OFFER", dst: peerJsId(to), payload: message }),
  delivered: (from, to, message) =>
    JSON.stringify({ type: "OFFER", src: peerJsId(from), dst: peerJsId(to), payload: message }),
  control: (text) => (text === '{"type":"OPEN"}' ? READY : UNEXPECTED),
  // PeerJS's own client sends this every 5 s.
  heartbeat: { everyMs: 5000, text: '{"type":"HEARTBEAT"}' },
  // A client shows the same id and token again. The server keeps no session, and answers as to a new client.
  resuming: { ticket: () => "", isResumed: () => true },
};

function peerJsId(client: number): string {
  return `c${String(client + 1).padStart(6, "0")}`;
}

const DIALECTS = {
  plain,
  bare,
  text,
  json,
  "socket.io": socketIo,
  "socket.io-recovering": socketIoRecovering,
  peerjs: peerJs,
} as const satisfies Record<string, Dialect>;

export type DialectName = keyof typeof DIALECTS;

export function dialectOf(name: DialectName): Dialect {
  return DIALECTS[name];
}
