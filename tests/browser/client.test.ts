import { expect, test } from "vitest";
import { ownServer } from "../conformance/subject.ts";
import { describeInBrowser, ownContext } from "./browser.ts";
import { notes, openClientPage, RELAY, untilFrame, untilNoted } from "./client-page.ts";

describeInBrowser("the client library in a page", (browser) => {
  test("resumes with the same id when its network is back, and gets each message that it missed once", async () => {
    const server = await ownServer(RELAY, { env: { RELAY_HEARTBEAT_MS: "300" } });
    const context = await ownContext(browser());
    const page = await openClientPage(context, server);
    await untilNoted(page, 'connected as 1, {"resumed":false,"recovered":true}');
    const other = await server.open("/ws", ["relay.v1.json"]);
    await other.next();
    other.send('{"type":"watch","id":"1"}');
    await untilFrame(other, { type: "presence", event: "online" });
    other.send('{"type":"send","to":"1","data":"before"}');
    await untilNoted(page, "2: before");

    await context.setOffline(true);
    await untilNoted(page, "disconnected");
    await untilFrame(other, { type: "presence", event: "offline" });
    other.send('{"type":"send","to":"1","data":"meanwhile","ackId":1}');
    await untilFrame(other, { type: "ack", ackId: 1, outcome: "queued" });

    await context.setOffline(false);
    await untilNoted(page, 'connected as 1, {"resumed":true,"recovered":true}');
    other.send('{"type":"send","to":"1","data":"after","ackId":2}');
    await untilFrame(other, { type: "ack", ackId: 2, outcome: "delivered" });
    await untilNoted(page, "2: after");
    expect(await notes(page, "2: ")).toEqual(["2: before", "2: meanwhile", "2: after"]);
  });
});
