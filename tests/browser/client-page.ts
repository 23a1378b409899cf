import { fileURLToPath } from "node:url";
import type { BrowserContext, Page } from "playwright-core";
import type { Client } from "../conformance/client.ts";
import type { Program } from "../conformance/runtimes.ts";
import { openPage } from "./browser.ts";

export const RELAY: Program = { command: [process.execPath, "dist/node.js"] };
const CLIENT = fileURLToPath(new URL("../../dist/client", import.meta.url));

/** Script of the page: it connects a client, and writes the client's events into a list. */
const SCRIPT = `
  import { connect } from "/client/index.js";
  const list = document.body.appendChild(document.createElement("ol"));
  const note = (text) => list.append(Object.assign(document.createElement("li"), { textContent: text }));
  const relay = connect(new URL("/ws", location.href));
  relay.on("connected", ({ id, ...session }) => note(\`connected as \${id}, \${JSON.stringify(session)}\`));
  relay.on("disconnected", () => note("disconnected"));
  relay.on("closed", ({ code, refusal }) => note(\`closed with \${code} \${refusal}\`));
  relay.on("message", ({ from, data }) => note(\`\${from}: \${data}\`));
  relay.ready.catch(({ code }) => note(\`never ready: \${code}\`));
`;

/** Opens a page that connects to this relay, and lists its client's events. */
export async function openClientPage(context: BrowserContext, server: { url(path: string): string }): Promise<Page> {
  await context.route(server.url("/client/*"), (route) =>
    route.fulfill({ path: `${CLIENT}/${route.request().url().split("/").at(-1)}` }),
  );
  // The page comes from the relay: Chromium 156 lets a page that Playwright makes up connect to no local server.
  const page = await openPage(context, server.url("/healthz"));
  await page.addScriptTag({ type: "module", content: SCRIPT });
  return page;
}

/** Waits until the page lists this event. */
export async function untilNoted(page: Page, text: string): Promise<void> {
  await page.getByRole("listitem").getByText(text, { exact: true }).first().waitFor();
}

/** Returns the listed events that contain the text. */
export function notes(page: Page, text: string): Promise<string[]> {
  return page.getByRole("listitem").filter({ hasText: text }).allInnerTexts();
}

/** Waits for a frame with these fields. Answers the pings before it. */
export async function untilFrame(client: Client, fields: Readonly<Record<string, unknown>>): Promise<void> {
  for (;;) {
    const frame: Record<string, unknown> = JSON.parse(String(await client.next()));
    if (frame.type === "ping") client.send('{"type":"pong"}');
    if (Object.entries(fields).every(([name, value]) => frame[name] === value)) return;
  }
}
