/** What to do about a text frame that is not a message. */
export type Answer =
  | { readonly type: "ready" }
  | { readonly type: "send"; readonly text: string }
  | { readonly type: "unexpected" };

/** How one kind of server spells what the generator says and hears. Clients count from 0 in order of connecting. */
export interface Dialect {
  /** The request target of a client's upgrade. */
  target(client: number): string;
  /** Whether the server speaks first, and a client is ready only when `control` says so. */
  readonly greets: boolean;
  /** The payload that has the server deliver `message`. */
  encode(from: number, to: number, message: string): string;
  /** The payload that arrives then. */
  delivered(from: number, to: number, message: string): string;
  control(text: string): Answer;
  /** What a client says unasked, so that the server knows that it lives. Absent where the server asks. */
  readonly heartbeat?: { readonly everyMs: number; readonly text: string };
}

const READY: Answer = { type: "ready" };
const UNEXPECTED: Answer = { type: "unexpected" };

/** `id:message` in, `message` out; the ids are 1, 2, 3 … in order of connecting. */
const plain: Dialect = {
  target: () => "/ws",
  greets: false,
  encode: (_from, to, message) => `${to + 1}:${message}`,
  delivered: (_from, _to, message) => message,
  control: () => UNEXPECTED,
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

const DIALECTS = { plain, "socket.io": socketIo, peerjs: peerJs } as const satisfies Record<string, Dialect>;

export type DialectName = keyof typeof DIALECTS;

export function dialectOf(name: DialectName): Dialect {
  return DIALECTS[name];
}
