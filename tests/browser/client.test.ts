import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { Client } from "../conformance/client.ts";
import type { Program } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { describeInBrowser, openPage, ownContext } from "./browser.ts";

const RELAY: Program = { command: [process.execPath, "dist/node.js"] };
const CLIENT = fileURLToPath(new URL("../../dist/client", import.meta.url));

/** Writes into its page what its client is told. */
const SCRIPT = `
  import { connect } from "/client/index.js";
  const list = document.body.appendChild(document.createElement("ol"));
  const note = (text) => list.append(Object.assign(document.createElement("li"), { textContent: text }));
  const relay = connect(new URL("/ws", location.href));
  relay.on("connected", ({ id, resumed, recovered }) => note(\`connected as \${id}, \${JSON.stringify({ resumed, recovered })}\`));
  relay.on("disconnected", () => note("disconnected"));
  relay.on("closed", () => note("closed"));
  relay.on("message", ({ from, data }) => note(\`\${from}: \${data}\`));
`;

describeInBrowser("the client library in a page", (browser) => {
  test("comes back with the same id when its network is back, and has what was sent meanwhile, once", async () => {
    const server = await ownServer(RELAY, { env: { RELAY_HEARTBEAT_MS: "300" } });
    const context = await ownContext(browser());
    await context.route(server.url("/client/*"), (route) =>
      route.fulfill({ path: `${CLIENT}/${route.request().url().split("/").at(-1)}` }),
    );
    // Any page that the relay itself serves: one that Playwright makes up may not connect to this machine (Chromium 156).
    const page = await openPage(context, server.url("/healthz"));
    await page.addScriptTag({ type: "module", content: SCRIPT });
    await noted(page, 'connected as 1, {"resumed":false,"recovered":true}');
    const other = await server.open("/ws", ["relay.v1.json"]);
    await other.next();
    other.send('{"type":"watch","id":"1"}');
    await until(other, { type: "presence", event: "online" });
    other.send('{"type":"send","to":"1","data":"before"}');
    await noted(page, "2: before");

    await context.setOffline(true);
    await noted(page, "disconnected");
    await until(other, { type: "presence", event: "offline" });
    other.send('{"type":"send","to":"1","data":"meanwhile","ackId":1}');
    await until(other, { type: "ack", ackId: 1, outcome: "queued" });

    await context.setOffline(false);
    await noted(page, 'connected as 1, {"resumed":true,"recovered":true}');
    other.send('{"type":"send","to":"1","data":"after","ackId":2}');
    await until(other, { type: "ack", ackId: 2, outcome: "delivered" });
    await noted(page, "2: after");
    const messages = await page.getByRole("listitem").filter({ hasText: "2: " }).allInnerTexts();
    expect(messages).toEqual(["2: before", "2: meanwhile", "2: after"]);
  });
});

async function noted(page: Page, text: string): Promise<void> {
  await page.getByRole("listitem").getByText(text, { exact: true }).first().waitFor();
}

/** Waits for a frame with these fields, and answers the pings that come before it. */
async function until(client: Client, fields: Readonly<Record<string, unknown>>): Promise<void> {
  for (;;) {
    const frame: Record<string, unknown> = JSON.parse(String(await client.next()));
    if (frame.type === "ping") client.send('{"type":"pong"}');
    if (Object.entries(fields).every(([name, value]) => frame[name] === value)) return;
  }
}
