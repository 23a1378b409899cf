import { expect, test } from "vitest";
import { ownServer } from "../conformance/subject.ts";
import { describeInBrowser, ownContext } from "./browser.ts";
import { noted, notes, openClientPage, RELAY, until } from "./client-page.ts";

const CONNECTED = 'connected as 1, {"resumed":false,"recovered":true}';
const RESUMED = 'connected as 1, {"resumed":true,"recovered":true}';

// Playwright turns the back-forward cache off.
const WITH_CACHE = { ignoreDefaultArgs: ["--disable-back-forward-cache"] };

describeInBrowser(
  "the client library in a page",
  (browser) => {
    test("that comes out of the back-forward cache has its id again, and what was sent meanwhile", async () => {
      const server = await ownServer(RELAY);
      const page = await openClientPage(await ownContext(browser()), server);
      await noted(page, CONNECTED);
      const other = await server.open("/ws", ["relay.v1.json"]);
      await other.next();
      other.send('{"type":"watch","id":"1"}');
      await until(other, { type: "presence", event: "online" });

      await page.goto(server.url("/readyz"));
      await until(other, { type: "presence", event: "offline" });
      other.send('{"type":"send","to":"1","data":"meanwhile","ackId":1}');
      await until(other, { type: "ack", ackId: 1, outcome: "queued" });

      // A page from the cache is not loaded again, so that no event of loading comes.
      await page.goBack({ waitUntil: "commit" });
      await noted(page, RESUMED);
      await noted(page, "2: meanwhile");
      other.send('{"type":"send","to":"1","data":"after","ackId":2}');
      await until(other, { type: "ack", ackId: 2, outcome: "delivered" });
      await noted(page, "2: after");
      expect(await notes(page, "")).toEqual([CONNECTED, "disconnected", RESUMED, "2: meanwhile", "2: after"]);
    });

    test("that is closed is gone at once", async () => {
      const server = await ownServer(RELAY);
      const page = await openClientPage(await ownContext(browser()), server);
      await noted(page, CONNECTED);
      const other = await server.open("/ws", ["relay.v1.json"]);
      await other.next();
      await page.close();
      other.send('{"type":"watch","id":"1"}');
      await until(other, { type: "presence", event: "offline" });
      other.send('{"type":"send","to":"1","data":"late","ackId":1}');
      await until(other, { type: "ack", ackId: 1, outcome: "failed" });
    });

    test("is told why the relay refuses it", async () => {
      const server = await ownServer(RELAY, { env: { RELAY_JWT_SECRET: "a secret of at least 32 bytes, for HS256" } });
      const page = await openClientPage(await ownContext(browser()), server);
      await noted(page, "never ready: unauthorized");
      await noted(page, "closed with 4501 unauthorized");
    });
  },
  WITH_CACHE,
);
