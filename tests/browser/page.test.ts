import { expect, test } from "vitest";
import { ownServer } from "../conformance/subject.ts";
import { describeInBrowser, ownContext } from "./browser.ts";
import { notes, openClientPage, RELAY, untilFrame, untilNoted } from "./client-page.ts";

const CONNECTED = 'connected as 1, {"resumed":false,"recovered":true}';
const RESUMED = 'connected as 1, {"resumed":true,"recovered":true}';

// By default Playwright disables the back-forward cache.
const WITH_CACHE = { ignoreDefaultArgs: ["--disable-back-forward-cache"] };

describeInBrowser(
  "the client library in a page",
  (browser) => {
    test("that returns from the back-forward cache resumes its session, and gets what was sent meanwhile", async () => {
      const server = await ownServer(RELAY);
      const page = await openClientPage(await ownContext(browser()), server);
      await untilNoted(page, CONNECTED);
      const other = await server.open("/ws", ["relay.v1.json"]);
      await other.next();
      other.send('{"type":"watch","id":"1"}');
      await untilFrame(other, { type: "presence", event: "online" });

      await page.goto(server.url("/readyz"));
      await untilFrame(other, { type: "presence", event: "offline" });
      other.send('{"type":"send","to":"1","data":"meanwhile","ackId":1}');
      await untilFrame(other, { type: "ack", ackId: 1, outcome: "queued" });

      // A page from the cache is not loaded again, and fires no load event to wait for.
      await page.goBack({ waitUntil: "commit" });
      await untilNoted(page, RESUMED);
      await untilNoted(page, "2: meanwhile");
      other.send('{"type":"send","to":"1","data":"after","ackId":2}');
      await untilFrame(other, { type: "ack", ackId: 2, outcome: "delivered" });
      await untilNoted(page, "2: after");
      expect(await notes(page, "")).toEqual([CONNECTED, "disconnected", RESUMED, "2: meanwhile", "2: after"]);
    });

    test("that is closed frees its id at once", async () => {
      const server = await ownServer(RELAY);
      const page = await openClientPage(await ownContext(browser()), server);
      await untilNoted(page, CONNECTED);
      const other = await server.open("/ws", ["relay.v1.json"]);
      await other.next();
      await page.close();
      other.send('{"type":"watch","id":"1"}');
      await untilFrame(other, { type: "presence", event: "offline" });
      other.send('{"type":"send","to":"1","data":"late","ackId":1}');
      await untilFrame(other, { type: "ack", ackId: 1, outcome: "failed" });
    });

    test("that the relay refuses learns the reason", async () => {
      const server = await ownServer(RELAY, { env: { RELAY_JWT_SECRET: "a secret of at least 32 bytes, for HS256" } });
      const page = await openClientPage(await ownContext(browser()), server);
      await untilNoted(page, "never ready: unauthorized");
      await untilNoted(page, "closed with 4501 unauthorized");
    });
  },
  WITH_CACHE,
);
