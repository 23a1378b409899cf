import { describe, expect, onTestFinished, test } from "vitest";
import { connectJson, connectRawJson, connectWatcher } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import { sharedServer } from "./subject.ts";

describe.each(runtimes)("the heartbeat of relay.v1.json on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_HEARTBEAT_MS: "200" } });

  test("keeps the session of a silent client: it is away, queues messages, and can be resumed", async () => {
    const { raw, welcome } = await connectRawJson(server());
    const watcher = await connectWatcher(server(), welcome.id);
    expect(await watcher.next()).toEqual({ type: "presence", id: welcome.id, event: "offline" });
    expect(await watcher.ask({ type: "send", to: welcome.id, data: "wait" })).toEqual({ outcome: "queued" });
    await raw.gone;
    const back = await connectJson(server(), { resume: welcome.resumeToken });
    expect(back.welcome).toMatchObject({ id: welcome.id, resumed: true, recovered: true });
    expect(await back.next()).toMatchObject({ data: "wait" });
  });

  test("keeps a client connected that answers with pong frames of JSON only", async () => {
    const { raw, welcome } = await connectRawJson(server());
    const watcher = await connectWatcher(server(), welcome.id);
    const talk = setInterval(() => raw.text('{"type":"pong"}'), 50);
    onTestFinished(() => clearInterval(talk));
    const silent = (await connectRawJson(server())).welcome;
    expect(await (await connectWatcher(server(), silent.id)).next()).toMatchObject({ event: "offline" });
    await expect(watcher).toStaySilent();
    expect(await watcher.ask({ type: "send", to: welcome.id, data: 1 })).toEqual({ outcome: "delivered" });
  });
});
