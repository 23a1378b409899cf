import { vi } from "vitest";
import { type ConnectOptions, connect, type RelayClient } from "../../../src/client/index.ts";
import type { ClientSocket } from "../../../src/client/socket.ts";
import { type ClientFrame, clientFrame, type RelayFrame } from "../../../src/core/protocol/json-frames.ts";

type Welcome = Extract<RelayFrame, { type: "welcome" }>;

/** One beat of the relay that these clients are connected to. */
export const HEARTBEAT_MS = 5000;

/** A socket whose relay says what the test says. */
export class FakeSocket implements ClientSocket {
  protocol = "relay.v1.json";
  onmessage: ClientSocket["onmessage"] = null;
  onclose: ClientSocket["onclose"] = null;
  onerror: ClientSocket["onerror"] = null;
  readonly url: URL;
  readonly offers: readonly string[];
  /** Everything that the client sent, in order; each satisfies the schema of the relay. */
  readonly sent: ClientFrame[] = [];
  /** How the client closed it: code and reason. */
  readonly closed: (readonly [number | undefined, string | undefined])[] = [];

  constructor(url: string, offers: readonly string[]) {
    this.url = new URL(url);
    this.offers = offers;
  }

  send(text: string): void {
    this.sent.push(clientFrame.parse(JSON.parse(text)));
  }

  close(code?: number, reason?: string): void {
    this.closed.push([code, reason]);
  }

  /** Something came from the other end. */
  hears(text: string): void {
    this.onmessage?.({ data: text } as never); // As its type in ClientSocket asks.
  }

  tells(...frames: readonly RelayFrame[]): void {
    for (const frame of frames) this.hears(JSON.stringify(frame));
  }

  welcomes(fields: Partial<Welcome> = {}): void {
    this.tells({
      type: "welcome",
      id: "7",
      resumeToken: "token-1",
      resumed: false,
      recovered: true,
      heartbeatMs: HEARTBEAT_MS,
      resumeMs: 30_000,
      limits: { maxMessageBytes: 1_048_576, maxUnackedSends: 256 },
      ...fields,
    });
  }

  /** A message from 3 with this number. */
  delivers(sequenceId: number, data: unknown = sequenceId): void {
    this.tells({ type: "message", from: "3", data, sequenceId });
  }

  acks(ackId: number, outcome: "delivered" | "queued" | "done" = "delivered"): void {
    this.tells({ type: "ack", ackId, outcome });
  }

  /** The connection is over, by the relay with its code or without one. */
  ends(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason } as never); // As its type in ClientSocket asks.
  }

  /** What it sent of one kind. */
  all<Type extends ClientFrame["type"]>(type: Type): Extract<ClientFrame, { type: Type }>[] {
    return this.sent.filter((frame): frame is Extract<ClientFrame, { type: Type }> => frame.type === type);
  }

  /** What was asked of the relay under a number, as `data#ackId` or `type#ackId`. */
  get asked(): string[] {
    return this.sent.flatMap((frame) => {
      if (!("ackId" in frame) || frame.ackId === undefined) return [];
      return [`${"data" in frame ? frame.data : frame.type}#${frame.ackId}`];
    });
  }
}

/** A client over sockets that the test plays the relay on. */
export function startClient<Data = unknown>(options: ConnectOptions = {}, url = "wss://relay.example.org/ws") {
  const sockets: FakeSocket[] = [];
  class Socket extends FakeSocket {
    constructor(at: string, offers: string[]) {
      super(at, offers);
      sockets.push(this);
    }
  }
  const client: RelayClient<Data> = connect<Data>(url, { WebSocket: Socket, ...options });
  const events: unknown[][] = [];
  for (const name of ["connected", "disconnected", "closed"] as const) {
    client.on(name, (event) => events.push([name, event]));
  }
  /** The socket that the client has now. */
  const socket = (): FakeSocket => {
    const latest = sockets.at(-1);
    if (latest === undefined) throw new Error("The client has opened no socket");
    return latest;
  };
  return { client, sockets, socket, events, named: (name: string) => events.filter(([which]) => which === name) };
}

/** A page, for as long as the test's stubs of globals are there. */
export function stubPage() {
  type Listener = (event: { type: string; persisted?: boolean }) => void;
  const listeners = new Map<string, Set<{ handleEvent: Listener }>>();
  const of = (name: string) => listeners.get(name) ?? listeners.set(name, new Set()).get(name);
  vi.stubGlobal("addEventListener", (name: string, listener: { handleEvent: Listener }) => of(name)?.add(listener));
  vi.stubGlobal("removeEventListener", (name: string, listener: { handleEvent: Listener }) =>
    of(name)?.delete(listener),
  );
  return {
    tell: (type: "online" | "pagehide" | "pageshow", fields: { persisted?: boolean } = {}): void => {
      for (const { handleEvent } of of(type) ?? []) handleEvent({ type, ...fields });
    },
    get listeners(): number {
      return [...listeners.values()].reduce((all, { size }) => all + size, 0);
    },
  };
}

/** What became of a promise so far: what it gave, `failed <code>`, or `pending`. */
export async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  const pending = Symbol();
  // Some turns of the microtask queue, so that what was settled is seen as settled.
  const wait = async (): Promise<typeof pending> => {
    for (let turns = 0; turns < 20; turns++) await undefined;
    return pending;
  };
  try {
    const result = await Promise.race([promise, wait()]);
    return result === pending ? "pending" : result;
  } catch (error) {
    return error instanceof Error && "code" in error ? `failed ${error.code}` : error;
  }
}
