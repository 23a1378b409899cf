import { frameText } from "../../src/core/protocol/frame.ts";
import { json } from "../../src/core/protocol/json.ts";
import { type ClientFrame, type RelayFrame, relayFrame } from "../../src/core/protocol/json-frames.ts";
import type { Handshake, RelayOptions } from "../../src/core/relay-options.ts";
import { FakeClient, FakeConnection, startRelay } from "./fakes.ts";

type FrameOf<Type extends RelayFrame["type"]> = Extract<RelayFrame, { type: Type }>;

/** Parses a frame of the relay, which must match the schema. Fields that are not in the schema are kept. */
export function readRelayFrame(text: string): RelayFrame {
  const value: unknown = JSON.parse(text);
  relayFrame.parse(value);
  return value as RelayFrame; // The schema has accepted it.
}

/** A client of relay.v1.json, from the client's point of view. */
export class JsonClient extends FakeClient {
  asks(frame: ClientFrame): void {
    this.says(JSON.stringify(frame));
  }

  /** Sends to an id, and returns the relay's ack. */
  sends(to: string, data: unknown, ackId: number): FrameOf<"ack"> | undefined {
    this.asks({ type: "send", to, data, ackId });
    return this.all("ack").at(-1);
  }

  /** Loses the connection without a close frame. */
  vanishes(): void {
    this.link.onSocketGone(1006, "");
  }

  /** All text frames that the client received, in order, except pings. */
  get frames(): RelayFrame[] {
    const texts = this.connection.frames.filter(({ binary }) => !binary).map(frameText);
    return texts.map(readRelayFrame).filter(({ type }) => type !== "ping");
  }

  all<Type extends RelayFrame["type"]>(type: Type): FrameOf<Type>[] {
    return this.frames.filter((frame): frame is FrameOf<Type> => frame.type === type);
  }

  get welcome(): FrameOf<"welcome"> {
    const [first] = this.frames;
    if (first?.type !== "welcome") throw new Error(`The first frame is no welcome: ${JSON.stringify(first)}`);
    return first;
  }

  /** The data of the messages that the client received, in order. */
  get data(): unknown[] {
    return this.all("message").map(({ data }) => data);
  }

  /** The presence events, in order: `2 joined lobby`, `2 offline`. */
  get news(): string[] {
    return this.all("presence").map(({ id, event, room }) => [id, event, room].filter(Boolean).join(" "));
  }
}

/** Starts a relay as `startRelay` does, and returns also functions that connect clients of relay.v1.json. */
export function startJsonRelay(options: RelayOptions = {}) {
  const started = startRelay(options);
  const { relay, turn } = started;
  const connectJson = (handshake: Handshake = {}): JsonClient => {
    const connection = new FakeConnection();
    const client = new JsonClient(connection, relay.open(connection, { protocol: json, ...handshake }), turn);
    turn.end();
    return client;
  };
  /** Resumes the session of a client, with the token of its welcome. */
  const resume = (lost: JsonClient): JsonClient => connectJson({ resume: lost.welcome.resumeToken });
  return { ...started, connectJson, resume };
}
