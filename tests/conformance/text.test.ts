import { describe, expect, test } from "vitest";
import { runtimes } from "./runtimes.ts";
import { sharedServer } from "./subject.ts";
import { connectText, nextLines, TEXT_PROTOCOL } from "./text-client.ts";

const SENTENCE = "Cannot read the frame: .+";
const QUOTED = (text: string): string => JSON.stringify(text).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Invalid frames, each with the code and the text of the error line. */
const WRONG: readonly (readonly [frame: string | Buffer, code: string, subject: string])[] = [
  ["9999:x", "no_such_id", "9999"],
  [Buffer.from("9999:x"), "no_such_id", "9999"],
  ["a b:x", "bad_id", QUOTED("a b")],
  [`${"9".repeat(65)}:x`, "bad_id", QUOTED("9".repeat(65)).replace('9"', '…"')],
  ["#:x", "bad_id", QUOTED("")],
  ["#a b:x", "bad_id", QUOTED("a b")],
  ["#nowhere:x", "not_in_room", "nowhere"],
  [":join a/b", "bad_id", QUOTED("a/b")],
  [":leave nowhere", "not_in_room", "nowhere"],
  [":who nowhere", "not_in_room", "nowhere"],
  ["no colon", "bad_frame", SENTENCE],
  ["", "bad_frame", SENTENCE],
  [":", "bad_frame", SENTENCE],
  [":nonsense", "bad_frame", SENTENCE],
  [":join", "bad_frame", SENTENCE],
  [":join one two", "bad_frame", SENTENCE],
  [":who", "bad_frame", SENTENCE],
  [":whoami 1", "bad_frame", SENTENCE],
  [":PING", "bad_frame", SENTENCE],
  [Buffer.from(":ping"), "bad_frame", SENTENCE],
  [Buffer.from("no colon"), "bad_frame", SENTENCE],
];

describe.each(runtimes)("relay.v1.text on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("welcomes each client with an id of its own", async () => {
    const [one, two] = [
      await server().open("/ws", [TEXT_PROTOCOL]),
      await server().open("/ws", [TEXT_PROTOCOL]),
    ] as const;
    const ids = [await one.next(), await two.next()].map((line) => /^:welcome (\d+)$/.exec(String(line))?.[1]);
    expect(Number(ids[1])).toBeGreaterThan(Number(ids[0]));
  });

  test("delivers a message with its sender, to the client that it names and nobody else", async () => {
    const [one, two, three] = [await connectText(server()), await connectText(server()), await connectText(server())];
    one.send(`${two.id}:hello`);
    one.send(`${two.id}:a:b::`);
    one.send(`${two.id}:`);
    await expect(nextLines(two, 3)).resolves.toEqual([`${one.id}:hello`, `${one.id}:a:b::`, `${one.id}:`]);
    await expect(three).toStaySilent();
    await expect(one).toStaySilent();
  });

  test("delivers bytes as a binary frame, with the sender before them", async () => {
    const [one, two] = [await connectText(server()), await connectText(server())];
    one.send(Buffer.concat([Buffer.from(`${two.id}:`), Buffer.from([0, 255, 58, 10])]));
    await expect(two.next()).resolves.toEqual(
      Buffer.concat([Buffer.from(`${one.id}:`), Buffer.from([0, 255, 58, 10])]),
    );
  });

  test("answers :whoami and :ping in the order of sending, with or without a line break", async () => {
    const one = await connectText(server());
    for (const line of [":whoami", ":ping", ":ping\r\n", ":whoami\n"]) one.send(line);
    await expect(nextLines(one, 4)).resolves.toEqual([`:whoami ${one.id}`, ":pong", ":pong", `:whoami ${one.id}`]);
  });

  test("lists every command in one line for :help", async () => {
    const one = await connectText(server());
    one.send(":help");
    const line = await one.next();
    expect(line).toMatch(/^:help [^\r\n]+$/);
    for (const command of [":join", ":leave", ":who", ":whoami", ":ping", ":help"]) expect(line).toContain(command);
  });

  test.each(WRONG)("answers %j with :error %s %s, and keeps the sender connected", async (frame, code, subject) => {
    const one = await connectText(server());
    one.send(frame);
    await expect(one.next()).resolves.toMatch(new RegExp(`^:error ${code} ${subject}$`));
    await expect(one).toStaySilent();
  });

  test("frees an id when its client closes, whatever the close code", async () => {
    const [one, two] = [await connectText(server()), await connectText(server())];
    await two.close(4001);
    one.send(`${two.id}:are you there?`);
    await expect(one.next()).resolves.toBe(`:error no_such_id ${two.id}`);
  });
});

describe.each(runtimes)("rooms in relay.v1.text on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("tell every member which client joins or leaves, and that client too", async () => {
    const [one, two] = [await connectText(server()), await connectText(server())];
    one.send(":join lobby");
    await expect(one.next()).resolves.toBe(`:joined ${one.id} lobby`);
    two.send(":join lobby");
    await expect(two.next()).resolves.toBe(`:joined ${two.id} lobby`);
    await expect(one.next()).resolves.toBe(`:joined ${two.id} lobby`);
    one.send(":leave lobby");
    await expect(one.next()).resolves.toBe(`:left ${one.id} lobby`);
    await expect(two.next()).resolves.toBe(`:left ${one.id} lobby`);
    one.send("#lobby:still here?");
    await expect(one.next()).resolves.toBe(":error not_in_room lobby");
    await expect(two).toStaySilent();
  });

  test("list their members in the order of joining for :who", async () => {
    const clients = [await connectText(server()), await connectText(server()), await connectText(server())];
    clients.reverse();
    for (const client of clients) {
      client.send(":join who.is~who");
      client.send(":ping");
      while ((await client.next()) !== ":pong");
    }
    clients[2]?.send(":who who.is~who");
    await expect(clients[2]?.next()).resolves.toBe(`:who who.is~who ${clients.map(({ id }) => id).join(" ")}`);
  });

  test("deliver a published message with its sender and the room, only to the other members", async () => {
    const [one, two, outside] = [await connectText(server()), await connectText(server()), await connectText(server())];
    for (const client of [one, two]) {
      client.send(":join talk");
      await expect(client.next()).resolves.toBe(`:joined ${client.id} talk`);
    }
    await expect(one.next()).resolves.toBe(`:joined ${two.id} talk`);
    one.send("#talk:anybody: here?");
    one.send(Buffer.concat([Buffer.from("#talk:"), Buffer.from([0, 255])]));
    await expect(two.next()).resolves.toBe(`${one.id}#talk:anybody: here?`);
    await expect(two.next()).resolves.toEqual(Buffer.concat([Buffer.from(`${one.id}#talk:`), Buffer.from([0, 255])]));
    await expect(one).toStaySilent();
    await expect(outside).toStaySilent();
  });

  test("lose a member when its connection is closed or lost", async () => {
    const [one, two, three] = [await connectText(server()), await connectText(server()), await connectText(server())];
    for (const client of [one, two, three]) {
      client.send(":join ends");
      await expect(client.next()).resolves.toBe(`:joined ${client.id} ends`);
    }
    await nextLines(one, 2);
    await two.close();
    await expect(one.next()).resolves.toBe(`:left ${two.id} ends`);
    three.drop();
    await expect(one.next()).resolves.toBe(`:left ${three.id} ends`);
  });

  test("deliver each message to every member once, in the order of sending", async () => {
    const sender = await connectText(server());
    const members = await Promise.all(Array.from({ length: 20 }, () => connectText(server())));
    for (const client of [sender, ...members]) {
      client.send(":join crowd");
      client.send(":ping");
      while ((await client.next()) !== ":pong");
    }
    for (let number = 0; number < 100; number++) sender.send(`#crowd:${number}`);
    const expected = Array.from({ length: 100 }, (_, number) => `${sender.id}#crowd:${number}`);
    for (const member of members) {
      const lines: string[] = [];
      while (lines.length < 100) {
        const line = String(await member.next());
        if (!line.startsWith(":joined ")) lines.push(line);
      }
      expect(lines).toEqual(expected);
    }
  });
});
