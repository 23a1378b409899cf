import { vi } from "vitest";
import { type ConnectOptions, connect, type RelayClient } from "../../../src/client/index.ts";
import type { ClientSocket } from "../../../src/client/socket.ts";
import { type ClientFrame, clientFrame, type RelayFrame } from "../../../src/core/protocol/json-frames.ts";

type Welcome = Extract<RelayFrame, { type: "welcome" }>;

/** Length of the fake relay's beat, in milliseconds. */
export const HEARTBEAT_MS = 5000;

/** A socket whose relay is played by the test. */
export class FakeSocket implements ClientSocket {
  protocol = "relay.v1.json";
  binaryType = "blob";
  onmessage: ClientSocket["onmessage"] = null;
  onclose: ClientSocket["onclose"] = null;
  onerror: ClientSocket["onerror"] = null;
  readonly url: URL;
  readonly offers: readonly string[];
  /** Every text frame that the client sent, in order; each satisfies the schema of the relay. */
  readonly sent: ClientFrame[] = [];
  /** Every binary frame that the client sent, in order. */
  readonly sentBytes: Uint8Array[] = [];
  /** The client's calls of `close`: code and reason. */
  readonly closed: (readonly [number | undefined, string | undefined])[] = [];

  constructor(url: string, offers: readonly string[]) {
    this.url = new URL(url);
    this.offers = offers;
  }

  send(data: string | Uint8Array): void {
    if (typeof data === "string") this.sent.push(clientFrame.parse(JSON.parse(data)));
    else this.sentBytes.push(data);
  }

  close(code?: number, reason?: string): void {
    this.closed.push([code, reason]);
  }

  /** Receives a text frame, or a binary frame. */
  hears(data: string | ArrayBuffer): void {
    this.onmessage?.({ data } as never); // As its type in ClientSocket asks.
  }

  /** Receives frames of the relay. */
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

  /** Receives a message from 3 with this number. */
  delivers(sequenceId: number, data: unknown = sequenceId): void {
    this.tells({ type: "message", from: "3", data, sequenceId });
  }

  acks(ackId: number, outcome: "delivered" | "queued" | "done" = "delivered"): void {
    this.tells({ type: "ack", ackId, outcome });
  }

  /** Ends the connection, with the relay's close code or with 1006. */
  ends(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason } as never); // As its type in ClientSocket asks.
  }

  /** Returns the frames of one type that the client sent. */
  all<Type extends ClientFrame["type"]>(type: Type): Extract<ClientFrame, { type: Type }>[] {
    return this.sent.filter((frame): frame is Extract<ClientFrame, { type: Type }> => frame.type === type);
  }

  /** The client's requests, as `data#ackId` or `type#ackId`. */
  get asked(): string[] {
    return this.sent.flatMap((frame) => {
      if (!("ackId" in frame) || frame.ackId === undefined) return [];
      return [`${"data" in frame ? frame.data : frame.type}#${frame.ackId}`];
    });
  }
}

/** Starts a client over fake sockets. */
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
  /** Returns the client's latest socket. */
  const socket = (): FakeSocket => {
    const latest = sockets.at(-1);
    if (latest === undefined) throw new Error("The client has opened no socket");
    return latest;
  };
  return { client, sockets, socket, events, named: (name: string) => events.filter(([which]) => which === name) };
}

/** Stubs the global functions of a page. */
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

/** Returns the state of a promise: its value, `failed <code>`, or `pending`. */
export async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  const pending = Symbol();
  // Waits for some microtasks, so that a settled promise is seen as settled.
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
