import { describe, expect, onTestFinished, test } from "vitest";
import { chooseSeed, Random } from "../chaos/random.ts";
import { type Dialect, json, listen, NumberedSender, plain } from "./numbered-sender.ts";
import type { RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";

const SENDERS = 8;
const ROUNDS = 60;
const MOST_AT_ONCE = 40;
const LONGEST_SMALL = 500;
const LONGEST = 60_000;
/** How often the receiver stops reading until something is refused. */
const STALLS = 3;

const seed = chooseSeed(process.env.ORDER_SEED);

describe.each(runtimes)(`the order of messages on $name, ORDER_SEED=${seed}`, (runtime) => {
  // Nobody is dropped for reading slowly: that would take three beats.
  const server = sharedServer(runtime, {
    env: { RELAY_MAX_BUFFERED_BYTES: "300000", RELAY_HEARTBEAT_MS: "60000" },
  });

  describe.each([plain, json])("in $name", (dialect) => {
    test("bursts and lone messages of many senders arrive as each of them sent them", async () => {
      const { senders } = await connectAll(server(), dialect);
      await Promise.all(senders.map((sender, index) => talk(sender, new Random(seed + index))));
      for (const sender of senders) {
        expect(sender.arrived).toEqual(upTo(sender.sent));
        expect(sender.odd).toEqual([]);
      }
    });

    test("so do those to a receiver that reads slowly, but for those of which their sender was told", async () => {
      const { senders, receiver } = await connectAll(server(), dialect);
      const random = new Random(seed);
      const refused = (): number => senders.reduce((sum, sender) => sum + sender.refused, 0);
      for (let stall = 0; stall < STALLS; stall++) {
        receiver.pause();
        for (const before = refused(); refused() === before; ) await sendMixed(senders, random);
        receiver.resume();
        for (let round = 0; round < ROUNDS; round++) await sendMixed(senders, random);
        await Promise.all(senders.map((sender) => sender.settled()));
      }
      for (const sender of senders) {
        const lost = new Set(dialect === json ? sender.refusedNumbers : missing(sender));
        expect(lost.size).toBe(sender.refused);
        expect(sender.arrived).toEqual(upTo(sender.sent).filter((number) => !lost.has(number)));
        expect(sender.odd).toEqual([]);
      }
    });
  });
});

/** Senders, and the one to whom all of them send; what it gets is entered in their books. */
async function connectAll(server: Server, dialect: Dialect) {
  const { raw: receiver, id } = await dialect.connect(server);
  const senders: NumberedSender[] = [];
  for (let index = 0; index < SENDERS; index++) {
    senders.push(await NumberedSender.connect(String(index), dialect, server, id));
  }
  void listen(receiver, dialect, (news) => {
    const [name, number] = news.type === "message" ? news.text.split(" ") : [];
    senders[Number(name)]?.arrives(Number(number));
  });
  onTestFinished(() => reset(receiver, senders));
  return { senders, receiver };
}

function reset(receiver: RawClient, senders: readonly NumberedSender[]): void {
  receiver.reset();
  for (const sender of senders) sender.reset();
}

/** Bursts and lone messages, of which some are alone on their way and others follow as soon as the relay has read what was before. */
async function talk(sender: NumberedSender, random: Random): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const count = random.pick([1, random.spread(1, MOST_AT_ONCE)]);
    sender.send(Array.from({ length: count }, () => random.spread(1, LONGEST_SMALL)));
    await (random.below(2) === 0 ? sender.read() : sender.settled());
  }
  await sender.settled();
}

/** Each sends a burst, or one large message, or one small, and the relay has read all. */
async function sendMixed(senders: readonly NumberedSender[], random: Random): Promise<void> {
  for (const sender of senders) {
    const count = random.pick([1, random.spread(1, MOST_AT_ONCE)]);
    sender.send(Array.from({ length: count }, () => random.spread(1, random.pick([LONGEST_SMALL, LONGEST]))));
  }
  await Promise.all(senders.map((sender) => sender.read()));
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** The numbers that have not arrived. */
function missing({ sent, arrived }: NumberedSender): number[] {
  const there = new Set(arrived);
  return upTo(sent).filter((number) => !there.has(number));
}
