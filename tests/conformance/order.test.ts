import { describe, expect, onTestFinished, test } from "vitest";
import { chooseSeed, Random } from "../chaos/random.ts";
import { type Dialect, json, jsonBytes, listen, NumberedSender, plain } from "./numbered-sender.ts";
import type { RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";

const SENDERS = 8;
const ROUNDS = 60;
const MAX_BURST = 40;
const MAX_SMALL_LENGTH = 500;
const MAX_LENGTH = 60_000;
/** How often the receiver stops reading until the relay refuses a message. */
const STALLS = 3;

const seed = chooseSeed(process.env.ORDER_SEED);

describe.each(runtimes)(`the order of messages with ORDER_SEED=${seed}, on $name`, (runtime) => {
  // The long beat keeps the relay from closing the slow receiver, which takes three beats.
  const server = sharedServer(runtime, {
    env: { RELAY_MAX_BUFFERED_BYTES: "300000", RELAY_HEARTBEAT_MS: "60000" },
  });

  describe.each([plain, json, jsonBytes])("in the protocol $name", (dialect) => {
    test("bursts and single messages of many senders arrive in the order of each sender", async () => {
      const { senders } = await connectAll(server(), dialect);
      await Promise.all(senders.map((sender, index) => sendRounds(sender, new Random(seed + index))));
      for (const sender of senders) {
        expect(sender.arrived).toEqual(upTo(sender.sentCount));
        expect(sender.unexpected).toEqual([]);
      }
    });

    test("a slow receiver gets every message in order, except those that its sender saw refused", async () => {
      const { senders, receiver } = await connectAll(server(), dialect);
      const random = new Random(seed);
      const countRefused = (): number => senders.reduce((sum, sender) => sum + sender.refusedCount, 0);
      for (let stall = 0; stall < STALLS; stall++) {
        receiver.pause();
        for (const before = countRefused(); countRefused() === before; ) await sendMixed(senders, random);
        receiver.resume();
        for (let round = 0; round < ROUNDS; round++) await sendMixed(senders, random);
        await Promise.all(senders.map((sender) => sender.untilSettled()));
      }
      for (const sender of senders) {
        const lost = new Set(dialect.numbersRefusals ? sender.refusedNumbers : missing(sender));
        expect(lost.size).toBe(sender.refusedCount);
        expect(sender.arrived).toEqual(upTo(sender.sentCount).filter((number) => !lost.has(number)));
        expect(sender.unexpected).toEqual([]);
      }
    });
  });
});

/** Connects a receiver, and senders that all send to it and record what arrives there. */
async function connectAll(server: Server, dialect: Dialect) {
  const { raw: receiver, id } = await dialect.connect(server);
  const senders: NumberedSender[] = [];
  for (let index = 0; index < SENDERS; index++) {
    senders.push(await NumberedSender.connect(String(index), dialect, server, id));
  }
  void listen(receiver, dialect, (incoming) => {
    const [name, number] = incoming.type === "message" ? incoming.text.split(" ") : [];
    senders[Number(name)]?.recordArrival(Number(number));
  });
  onTestFinished(() => reset(receiver, senders));
  return { senders, receiver };
}

function reset(receiver: RawClient, senders: readonly NumberedSender[]): void {
  receiver.reset();
  for (const sender of senders) sender.reset();
}

/** Sends bursts and single messages; waits after each until the relay has read it, or until it has settled. */
async function sendRounds(sender: NumberedSender, random: Random): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const count = random.pick([1, random.spread(1, MAX_BURST)]);
    sender.send(Array.from({ length: count }, () => random.spread(1, MAX_SMALL_LENGTH)));
    await (random.below(2) === 0 ? sender.untilRead() : sender.untilSettled());
  }
  await sender.untilSettled();
}

/** Sends a burst or a single message of each sender, and waits until the relay has read all. */
async function sendMixed(senders: readonly NumberedSender[], random: Random): Promise<void> {
  for (const sender of senders) {
    const count = random.pick([1, random.spread(1, MAX_BURST)]);
    sender.send(Array.from({ length: count }, () => random.spread(1, random.pick([MAX_SMALL_LENGTH, MAX_LENGTH]))));
  }
  await Promise.all(senders.map((sender) => sender.untilRead()));
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** Returns the numbers of the messages that have not arrived. */
function missing({ sentCount, arrived }: NumberedSender): number[] {
  const present = new Set(arrived);
  return upTo(sentCount).filter((number) => !present.has(number));
}
