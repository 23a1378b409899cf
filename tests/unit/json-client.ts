import { json } from "../../src/core/protocol/json.ts";
import { type ClientFrame, type RelayFrame, relayFrame } from "../../src/core/protocol/json-frames.ts";
import type { Handshake, RelayOptions } from "../../src/core/relay-options.ts";
import { FakeClient, FakeConnection, startRelay } from "./fakes.ts";

type FrameOf<Type extends RelayFrame["type"]> = Extract<RelayFrame, { type: Type }>;

/** Reads a frame of the relay's, which must be one by the schema. Fields that the schema does not name are kept. */
export function readRelayFrame(text: string): RelayFrame {
  const value: unknown = JSON.parse(text);
  relayFrame.parse(value);
  return value as RelayFrame; // The schema has just said so.
}

/** A client of relay.v1.json, seen from its own end. */
export class JsonClient extends FakeClient {
  asks(frame: ClientFrame): void {
    this.says(JSON.stringify(frame));
  }

  /** Sends to an id, and tells how the relay answered. */
  sends(to: string, data: unknown, ackId: number): FrameOf<"ack"> | undefined {
    this.asks({ type: "send", to, data, ackId });
    return this.all("ack").at(-1);
  }

  /** Its network is gone: no close frame comes. */
  vanishes(): void {
    this.link.onSocketGone(1006, "");
  }

  /** Everything that it was told, in order, but pings. */
  get frames(): RelayFrame[] {
    return this.heard.map(readRelayFrame).filter(({ type }) => type !== "ping");
  }

  all<Type extends RelayFrame["type"]>(type: Type): FrameOf<Type>[] {
    return this.frames.filter((frame): frame is FrameOf<Type> => frame.type === type);
  }

  get welcome(): FrameOf<"welcome"> {
    const [first] = this.frames;
    if (first?.type !== "welcome") throw new Error(`The first frame is no welcome: ${JSON.stringify(first)}`);
    return first;
  }

  /** What its messages hold, in order. */
  get data(): unknown[] {
    return this.all("message").map(({ data }) => data);
  }

  /** Who came or went, in order: `2 joined lobby`, `2 offline`. */
  get news(): string[] {
    return this.all("presence").map(({ id, event, room }) => [id, event, room].filter(Boolean).join(" "));
  }
}

/** A relay, and clients of relay.v1.json for it beside those of `startRelay`. */
export function startJsonRelay(options: RelayOptions = {}) {
  const started = startRelay(options);
  const { relay, turn } = started;
  const connectJson = (handshake: Handshake = {}): JsonClient => {
    const connection = new FakeConnection();
    const client = new JsonClient(connection, relay.open(connection, { protocol: json, ...handshake }), turn);
    turn.end();
    return client;
  };
  /** Comes back to the session of a client, with the token of its welcome. */
  const resume = (lost: JsonClient): JsonClient => connectJson({ resume: lost.welcome.resumeToken });
  return { ...started, connectJson, resume };
}
