import { describe, expect, test } from "vitest";
import { runtimes } from "./runtimes.ts";
import { sharedServer } from "./subject.ts";

describe.each(runtimes)("the echo on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("returns a text with res: before it", async () => {
    const client = await server().open("/echo");
    client.send("hello");
    await expect(client.next()).resolves.toBe("res:hello");
  });

  test("returns res: for an empty message", async () => {
    const client = await server().open("/echo");
    client.send("");
    await expect(client.next()).resolves.toBe("res:");
  });

  test("returns bytes as bytes with res: before them", async () => {
    const client = await server().open("/echo");
    client.send(Buffer.from([0, 58, 255, 128]));
    await expect(client.next()).resolves.toEqual(Buffer.from([...Buffer.from("res:"), 0, 58, 255, 128]));
  });

  test("returns messages in the order of sending", async () => {
    const client = await server().open("/echo");
    const sent = Array.from({ length: 500 }, (_, index) => `message ${index}`);
    for (const message of sent) client.send(message);
    for (const message of sent) await expect(client.next()).resolves.toBe(`res:${message}`);
  });

  test("takes no id of the relay for its clients", async () => {
    const before = await server().connect();
    await server().open("/echo");
    const after = await server().connect();
    expect(Number(after.id)).toBe(Number(before.id) + 1);
  });

  test("relays nothing to the relay's clients", async () => {
    const client = await server().connect();
    const echo = await server().open("/echo");
    echo.send(`${client.id}:hello`);
    await expect(echo.next()).resolves.toBe(`res:${client.id}:hello`);
    await expect(client).toStaySilent();
  });
});
