import { setTimeout as pass } from "node:timers/promises";
import type { RelayClient } from "hono-relay/client";
import { until } from "./wait.ts";

/** Pace of the sender: 500 messages a second at most. */
const PACE_MS = 2;

/** A flow of numbers from one client of the library to another. */
export interface Flow {
  /** Numbers whose sends were acknowledged. */
  readonly delivered: ReadonlySet<number>;
  /** How often each number arrived. */
  readonly received: ReadonlyMap<number, number>;
  /** Codes of the sends that failed; their numbers are not sent again. */
  readonly failures: readonly string[];
  /** Ends the flow. Waits until all that was acknowledged has arrived; gives up after a while, for the test to tell. */
  stop(): Promise<void>;
}

/** Sends numbers from one client to the other, each when the one before has its outcome, until `stop`. */
export function startFlow(sender: RelayClient, receiver: RelayClient): Flow {
  const delivered = new Set<number>();
  const received = new Map<number, number>();
  const failures: string[] = [];
  let isStopped = false;
  receiver.on("message", ({ data }) => received.set(Number(data), (received.get(Number(data)) ?? 0) + 1));
  const sending = (async () => {
    for (let number = 0; !isStopped; number++) {
      try {
        await sender.send(receiver.id, number);
        delivered.add(number);
      } catch (error) {
        failures.push((error as { code: string }).code); // A RelayError.
      }
      await pass(PACE_MS);
    }
  })();
  const stop = async (): Promise<void> => {
    isStopped = true;
    await sending;
    const areAllReceived = async (): Promise<boolean> => [...delivered].every((number) => received.has(number));
    await until(areAllReceived, "the last messages").catch(() => {});
  };
  return { delivered, received, failures, stop };
}
