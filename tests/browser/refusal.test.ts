import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { describeInBrowser, openPage, ownContext } from "./browser.ts";

/** Connects from the page as the client library does. @returns The refusal's close code, and its reason's code. */
function readRefusal(page: Page, url: string): Promise<unknown> {
  return page.evaluate(
    (address) =>
      new Promise((resolve) => {
        const socket = new WebSocket(address, ["relay.v1.json", "bearer.no-token"]);
        socket.onclose = ({ code, reason }) => resolve([code, reason.split(":")[0]]);
      }),
    url,
  );
}

describeInBrowser("a page in a browser", (browser) => {
  test("that the relay refuses can read the reason, on every runtime", async () => {
    const env = { RELAY_JWT_SECRET: "a secret that is long enough for HS256" };
    const context = await ownContext(browser());
    let page: Page | undefined;
    for (const runtime of runtimes) {
      const server = await ownServer(runtime, { env });
      page ??= await openPage(context, server.url("/healthz"));
      const address = `ws://127.0.0.1:${server.port}`;
      expect(await readRefusal(page, `${address}/ws?refusal=close`)).toEqual([4501, "unauthorized"]);
      expect(await readRefusal(page, `${address}/nowhere?refusal=close`)).toEqual([4504, "not_found"]);
      expect(await readRefusal(page, `${address}/ws`)).toEqual([1006, ""]);
    }
  });
});
