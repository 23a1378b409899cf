import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startJsonRelay } from "../../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Connects two clients. The second is away with four queued messages of 300 bytes; 500 bytes may be sent at once. */
function leaveMail() {
  const started = startJsonRelay({ limits: { maxBufferedBytes: 1000 } });
  const [sender, receiver] = [started.connectJson(), started.connectJson()];
  receiver.asks({ type: "watch", id: "1" });
  receiver.vanishes();
  for (const letter of ["a", "b", "c", "d"]) sender.sends("2", letter.repeat(250), letter.charCodeAt(0));
  return { ...started, sender, receiver };
}

function letters(data: readonly unknown[]): string {
  return data.map((text) => String(text)[0]).join("");
}

describe("a resumed session", () => {
  test("gets missed messages as fast as its connection takes them, and then the ids that it watches", () => {
    const { turn, receiver, resume } = leaveMail();
    const back = resume(receiver);
    back.connection.waitingBytes = 300;
    // The welcome's turn sent as much as the backlog may hold; the rest waits for the connection.
    const first = letters(back.data);
    expect(first.length).toBeLessThan(4);
    vi.advanceTimersByTime(100);
    turn.end();
    expect(letters(back.data)).toBe(first);
    expect(back.news).toEqual([]);
    for (let round = 0; round < 4; round++) {
      back.connection.waitingBytes = 0;
      vi.advanceTimersByTime(20);
      turn.end();
    }
    expect(letters(back.data)).toBe("abcd");
    expect(back.news).toEqual(["1 online"]);
  });

  test("gets new messages behind those that it missed", () => {
    const { turn, sender, receiver, resume } = leaveMail();
    const back = resume(receiver);
    back.asks({ type: "sequenceAck", sequenceId: 0 });
    back.connection.waitingBytes = 900;
    expect(sender.sends("2", "e", 1)).toMatchObject({ outcome: "queued" });
    for (let round = 0; round < 4; round++) {
      back.connection.waitingBytes = 0;
      vi.advanceTimersByTime(20);
      turn.end();
    }
    expect(letters(back.data)).toBe("abcde");
    expect(sender.sends("2", "f", 2)).toMatchObject({ outcome: "delivered" });
    expect(letters(back.data)).toBe("abcdef");
  });

  test("that loses its connection meanwhile gets all of them again, and leaves no timer", () => {
    const { turn, relay, receiver, resume } = leaveMail();
    const lost = resume(receiver);
    lost.connection.waitingBytes = 900;
    lost.vanishes();
    const back = resume(receiver);
    for (let round = 0; round < 4; round++) {
      vi.advanceTimersByTime(20);
      turn.end();
    }
    expect(letters(back.data)).toBe("abcd");
    back.asks({ type: "sequenceAck", sequenceId: 4 });
    expect(relay.holdings.waitingMessages).toBe(0);
  });
});

describe("sessions that are away", () => {
  test("end when their resume window is over, each in its time, with one timer for all", () => {
    const { relay, connectJson } = startJsonRelay({ resumeMs: 1000, heartbeatMs: 60_000 });
    const clients = Array.from({ length: 3 }, () => connectJson());
    for (const client of clients) {
      client.vanishes();
      vi.advanceTimersByTime(300);
    }
    const timers = vi.getTimerCount();
    vi.advanceTimersByTime(99);
    expect(relay.holdings.sessions).toBe(3);
    vi.advanceTimersByTime(2);
    expect(relay.holdings.sessions).toBe(2);
    vi.advanceTimersByTime(300);
    expect(relay.holdings.sessions).toBe(1);
    vi.advanceTimersByTime(300);
    expect([relay.holdings.sessions, vi.getTimerCount()]).toEqual([0, timers - 1]);
  });

  test("that together hold more than half of the budget end, those away longest first", () => {
    const { relay, connectJson, resume } = startJsonRelay({ limits: { maxTotalBufferedBytes: 4 * 2 * 8000 } });
    const clients = Array.from({ length: 20 }, () => connectJson());
    for (const client of clients) client.vanishes();
    expect(relay.holdings.bufferedBytes).toBeLessThanOrEqual(8000);
    expect(relay.holdings.sessions).toBe(5);
    const [first, last] = [clients[0], clients.at(-1)];
    expect([first, last].map((client) => client && resume(client).welcome.resumed)).toEqual([false, true]);
  });

  test("that hold too much lose the oldest of their mail, and say so", () => {
    const { connectJson, resume } = startJsonRelay({ limits: { maxTotalBufferedBytes: 4 * 2 * 8000 } });
    const [sender, receiver] = [connectJson(), connectJson()];
    receiver.asks({ type: "sequenceAck", sequenceId: 0 });
    for (let at = 1; at <= 4; at++) expect(sender.sends("2", `${at}`.repeat(1000), at)?.outcome).toBe("delivered");
    receiver.vanishes();
    const back = resume(receiver);
    expect(back.welcome).toMatchObject({ resumed: true, recovered: false });
    expect(letters(back.data)).toBe("34");
  });
});
