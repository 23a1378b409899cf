import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Client, openClient } from "../conformance/client.ts";
import { Process } from "../conformance/process.ts";
import { INSTALLED, ROOT } from "../conformance/runtimes.ts";
import { TEXT_PROTOCOL } from "../conformance/text-client.ts";
import { until } from "../conformance/wait.ts";
import { type Example, readExamples } from "./examples/blocks.ts";

const COMMANDS = {
  node: [process.execPath, "--import", "tsx"],
  bun: [`${INSTALLED}bun`, "run"],
  deno: [`${INSTALLED}deno`, "run", "--allow-all"],
} as const;

const apps = readExamples().filter(({ name, source }) => name.startsWith("docs/server.md") && source.includes("Go!"));

test("docs/server.md has a whole app for each runtime, in fifteen lines at most", () => {
  expect(apps.map(({ runner }) => runner)).toEqual(["node", "bun", "deno"]);
  for (const { source } of apps)
    expect(source.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(15);
});

describe.each(apps)("the whole app for $runner", (example) => {
  test("greets clients, moves two into a room, publishes, lists them, and disconnects one", async () => {
    const port = await start(example);
    const url = `http://127.0.0.1:${port}`;
    const ask = async (method: string, path: string) => (await fetch(url + path, { method })).json();
    const one = await connect(port);
    const two = await connect(port);
    const three = await openClient(`ws://127.0.0.1:${port}/relay/ws`);
    expect([await one.next(), await one.next()]).toEqual([":welcome 1", ":server Welcome, 1"]);
    expect([await two.next(), await two.next()]).toEqual([":welcome 2", ":server Welcome, 2"]);
    expect(await three.next()).toBe("Welcome, 3");

    expect(await ask("POST", "/match/1/2")).toEqual({ outcome: "delivered", recipients: 2 });
    const lines = [":joined 1 match", ":joined 2 match", ":server#match Go!"];
    for (const line of lines) expect(await one.next()).toBe(line);
    for (const line of lines.slice(1)) expect(await two.next()).toBe(line);
    expect(await ask("GET", "/match")).toMatchObject({ sessions: [{ id: "1" }, { id: "2", rooms: ["match"] }] });

    expect(await ask("DELETE", "/match/2")).toEqual({ outcome: "done" });
    expect(await two.untilClosed()).toEqual({ code: 4505, reason: "Game over" });
    expect(await one.next()).toBe(":left 2 match");
    await Promise.all([one.close(), three.close()]);
  });
});

function connect(port: number): Promise<Client> {
  return openClient(`ws://127.0.0.1:${port}/relay/ws`, [TEXT_PROTOCOL]);
}

/** Starts the app of the page on a free port, until the test ends. @returns The port. */
async function start({ runner, source }: Example): Promise<number> {
  const port = await findPort();
  // Within the repository, so that it imports hono-relay by its name.
  const folder = await mkdtemp(`${ROOT}.whole-app-`);
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(`${folder}/app.ts`, source.replace("port: 3000", `port: ${port}`));
  // The pages start a server on these runtimes only.
  const [command, ...args] = COMMANDS[runner as keyof typeof COMMANDS];
  const app = new Process({ command: [command, ...args, `${folder}/app.ts`] }, {});
  onTestFinished(() => app.kill());
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/relay/healthz`).catch(() => undefined);
    return answer?.ok === true;
  }, `the app for ${runner} to listen`);
  return port;
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.on("listening", resolve));
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
