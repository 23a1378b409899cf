import { expect, test } from "vitest";
import { ownServer } from "../conformance/subject.ts";
import { describeInBrowser, openPage, ownContext } from "./browser.ts";
import { RELAY, untilFrame } from "./client-page.ts";

const KEY = "k".repeat(32);

describeInBrowser("the page of the admin API", (browser) => {
  test("sends a request with the key, and shows it as a line of curl with its answer", async () => {
    const server = await ownServer(RELAY, { env: { RELAY_API_KEY: KEY } });
    const client = await server.open("/ws", ["relay.v1.json"]);
    await client.next();
    const context = await ownContext(browser());
    const complaints: string[] = [];
    context.on("console", (message) => complaints.push(message.text()));
    const foreign: string[] = [];
    context.on("request", (request) => {
      if (!request.url().startsWith(server.url("/"))) foreign.push(request.url());
    });
    const page = await openPage(context, server.url("/v1/docs"));

    const send = page.locator("#sendMessage");
    await send.getByRole("button", { name: "Send" }).click();
    expect(await send.getByRole("textbox", { name: "id" }).evaluate((field) => field.matches(":invalid"))).toBe(true);

    await page.getByLabel("Key").fill(KEY);
    await send.getByRole("textbox", { name: "id" }).fill("1");
    await send.getByRole("textbox", { name: "Body" }).fill('{"data": "it\'s me"}');
    await send.getByRole("button", { name: "Send" }).click();
    await send.getByText("200 OK").waitFor();
    expect(await send.locator("output").textContent()).toContain(
      `curl -X POST -H "Authorization: Bearer $RELAY_API_KEY" -H 'Content-Type: application/json' ` +
        `-d '{"data": "it'\\''s me"}' '${server.url("/v1/sessions/1/messages")}'`,
    );
    await untilFrame(client, { type: "message", data: "it's me" });

    const list = page.locator("#listSessions");
    await list.getByRole("textbox", { name: "limit" }).fill("1");
    await list.getByRole("button", { name: "Send" }).click();
    await list.getByText('"protocol": "relay.v1.json"').waitFor();
    expect([complaints, foreign]).toEqual([[], []]);
  });
});
