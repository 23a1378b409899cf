import type { Frame } from "../protocol/frame.ts";
import type { Ending } from "./ending.ts";
import type { Rate } from "./rate.ts";

/** Messages that the owner of a link keeps until its client acknowledges them. */
export interface UnackedMessages {
  /** Whether the client has ever acknowledged a message. */
  readonly isAcknowledging: boolean;
  /** Number of messages. */
  readonly messages: number;
  /** Time since which the oldest message waits, by `performance.now()`; `Infinity` if there is none. */
  readonly waitingSince: number;
  /** Drops the oldest message as long as there is one and the condition holds. */
  dropOldestWhile(condition: () => boolean): void;
}

/** Owns a link, and receives its events. The callbacks must not throw, except `onFrame`. */
export interface LinkOwner {
  /** Rate of the client; absent if it is unlimited. */
  readonly rate: Rate | undefined;
  /** Messages that were sent over the link and are not acknowledged; absent if the protocol does not number them. */
  readonly mailbox?: UnackedMessages | undefined;
  /** Whether messages that the relay has accepted for the client are still to be sent over the link. Default: none. */
  readonly isCatchingUp?: boolean;
  /** The client sent a frame. If the callback throws, the link calls `onError` and closes the connection with 1011. */
  onFrame(frame: Frame): void;
  /** The client answered a ping, or sent a ping. */
  onPong(): void;
  /** The client missed a beat. @param misses Beats missed in a row, this one included. */
  onMiss(misses: number): void;
  /** Called at least once a beat. */
  onBeat(): void;
  /**
   * Called once, when the link ends: nothing reaches the connection any more.
   *
   * @param link The link that ended, for an owner that may have begun another one since.
   */
  onEnd(ending: Ending, link: object): void;
  /** The link ends because the relay is out of memory; `onEnd` follows. Gives memory back, and reports nothing yet. */
  onEviction(link: object): void;
  /** `onFrame` threw the error, or `onEnd` did after an eviction. */
  onError(error: unknown): void;
}
