import { vi } from "vitest";
import type { Connection } from "../../src/core/link/connection.ts";
import type { Ending } from "../../src/core/link/ending.ts";
import { Heartbeat, type Monitored, Pulse } from "../../src/core/link/heartbeat.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/core/link/limits.ts";
import type { Link, LinkContext } from "../../src/core/link/link.ts";
import { MemoryBudget } from "../../src/core/link/memory-budget.ts";
import { type Schedule, Turn } from "../../src/core/link/turn.ts";
import { type Frame, frameText } from "../../src/core/protocol/frame.ts";
import { plain } from "../../src/core/protocol/plain.ts";
import type { Protocol } from "../../src/core/protocol/protocol.ts";
import { Relay } from "../../src/core/relay.ts";
import type { Handshake, RelayOptions } from "../../src/core/relay-options.ts";
import { CatchUps } from "../../src/core/session/catch-up.ts";
import { CloseCounts, MessageCounts } from "../../src/core/session/counters.ts";
import { Session } from "../../src/core/session/session.ts";

/** Length of one beat in these tests. */
export const BEAT_MS = 5000;

/** Length of one tick in these tests. */
export const TICK_MS = BEAT_MS / 5;

/** A connection that records its calls. The test sets how many bytes its client takes and sends. */
export class FakeConnection implements Connection {
  /** All calls in order: `write a,b`, `slowDown`, `ping`, `close 1001`, `terminate`. */
  readonly did: string[] = [];
  readonly frames: Frame[] = [];
  readonly reasons: string[] = [];
  /** Bytes that the operating system has not taken yet. */
  waitingBytes = 0;
  /** Bytes received from the client. */
  arrivedBytes = 0;

  write(frames: readonly Frame[]): void {
    this.did.push(`write ${frames.map(frameText).join(",")}`);
    this.frames.push(...frames);
  }

  bufferedBytes(): number {
    return this.waitingBytes;
  }

  receivedBytes(): number {
    return this.arrivedBytes;
  }

  slowDown(): void {
    this.did.push("slowDown");
  }

  ping(): void {
    this.did.push("ping");
  }

  close(code: number, reason: string): void {
    this.did.push(`close ${code}`);
    this.reasons.push(reason);
  }

  terminate(): void {
    this.did.push("terminate");
  }

  /** Frames that the client received, as text. */
  get heard(): string[] {
    return this.frames.map(frameText);
  }

  /** Returns the number of equal calls. */
  count(what: string): number {
    return this.did.filter((done) => done === what).length;
  }
}

/** A connection that a heartbeat monitors; records the times of its events. */
export class FakeMonitored implements Monitored {
  readonly pulse = new Pulse();
  hasEnded = false;
  arrivedBytes = 0;
  /** Runs on each ping, as the client's reaction. */
  answers: () => void = () => {};
  readonly pings: number[] = [];
  readonly counted: number[] = [];
  visits = 0;
  lostAt: number | undefined = undefined;
  #arrivedAtPing = 0;

  hasReceivedSincePing(): boolean {
    return this.arrivedBytes !== this.#arrivedAtPing;
  }

  ping(): boolean {
    this.#arrivedAtPing = this.arrivedBytes;
    this.pings.push(Date.now());
    this.answers();
    return true;
  }

  onVisit(): void {
    this.visits++;
  }

  onMiss(misses: number): void {
    this.counted.push(misses);
  }

  onLost(): void {
    this.lostAt = Date.now();
    this.hasEnded = true;
  }
}

/** Returns the same connection on a runtime that pings by itself and does not count received bytes. */
export function withoutPing(connection: FakeConnection): Connection {
  return {
    write: (frames) => connection.write(frames),
    bufferedBytes: () => connection.bufferedBytes(),
    close: (code, reason) => connection.close(code, reason),
    terminate: () => connection.terminate(),
  };
}

/** A turn of the event loop that ends when the test says so. */
export class FakeTurn {
  #flushes: (() => void)[] = [];

  readonly schedule: Schedule = (flush) => {
    this.#flushes.push(flush);
  };

  /** Flushes that are scheduled for the end of this turn. */
  get scheduled(): number {
    return this.#flushes.length;
  }

  end(): void {
    const flushes = this.#flushes;
    this.#flushes = [];
    for (const flush of flushes) flush();
  }
}

/** Creates what links share, with a heartbeat of their own and the given limits. */
export function fakeContext(
  turn: FakeTurn,
  limits: Partial<Limits> = {},
  onSocketGone: (link: Link) => void = () => {},
) {
  return {
    limits: { ...DEFAULT_LIMITS, ...limits },
    budget: new MemoryBudget({ ...DEFAULT_LIMITS, ...limits }),
    turn: new Turn(turn.schedule),
    heartbeat: new Heartbeat({ intervalMs: BEAT_MS, misses: 3 }),
    closeTimeoutMs: 2000,
    onOpen: () => {},
    onSocketGone,
  } satisfies LinkContext;
}

/** Creates a session without a connection, of a relay that does nothing. */
export function fakeSession(id: string, protocol: Protocol = plain): Session {
  const links = fakeContext(new FakeTurn());
  return new Session(id, protocol, {
    links,
    catchUps: new CatchUps(),
    resumeMs: 30_000,
    observer: {},
    router: { route: () => {}, weigh: () => 1 },
    uptimeMs: 0,
    closes: new CloseCounts(),
    frameTimer: undefined,
    countsOf: () => new MessageCounts(),
    onBeat: () => {},
    onAway: () => {},
    onEnd: () => {},
  });
}

/** A client of a relay, from the client's point of view. */
export class FakeClient {
  readonly connection: FakeConnection;
  readonly link: Link;
  readonly #turn: FakeTurn;

  constructor(connection: FakeConnection, link: Link, turn: FakeTurn) {
    this.connection = connection;
    this.link = link;
    this.#turn = turn;
  }

  /** Sends a frame, and ends the turn. */
  says(payload: string | Uint8Array): void {
    this.link.onMessage(payload, typeof payload !== "string");
    this.#turn.end();
  }

  /** Closes the connection: its close frame comes, and the socket is gone. */
  leaves(): void {
    this.link.onPeerClosing(1000, "");
    this.link.onSocketGone(1000, "");
  }

  get heard(): string[] {
    return this.connection.heard;
  }

  get did(): string[] {
    return this.connection.did;
  }
}

/** Starts a relay, and returns a function that connects clients to it. */
export function startRelay(options: RelayOptions = {}) {
  const turn = new FakeTurn();
  const relay = new Relay({ schedule: turn.schedule, heartbeatMs: BEAT_MS, ...options });
  const connect = (handshake: Handshake = {}): FakeClient => {
    const connection = new FakeConnection();
    return new FakeClient(connection, relay.open(connection, handshake), turn);
  };
  return { relay, turn, connect };
}

/** Arguments of the observer's `left`. */
export interface Left {
  readonly id: string;
  readonly ending: Ending;
}

/** Lets this many beats pass. */
export function passBeats(beats: number): void {
  vi.advanceTimersByTime(beats * BEAT_MS);
}
