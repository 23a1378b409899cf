import { expect, test } from "vitest";
import { ownServer } from "../conformance/subject.ts";
import { describeInBrowser, ownContext } from "./browser.ts";
import { noted, notes, openClientPage, RELAY, until } from "./client-page.ts";

describeInBrowser("the client library in a page", (browser) => {
  test("comes back with the same id when its network is back, and has what was sent meanwhile, once", async () => {
    const server = await ownServer(RELAY, { env: { RELAY_HEARTBEAT_MS: "300" } });
    const context = await ownContext(browser());
    const page = await openClientPage(context, server);
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
    expect(await notes(page, "2: ")).toEqual(["2: before", "2: meanwhile", "2: after"]);
  });
});
