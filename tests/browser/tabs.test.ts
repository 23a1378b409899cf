import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { ownServer } from "../conformance/subject.ts";
import { PATIENCE_MS } from "../conformance/wait.ts";
import { describeInBrowser, example, openPage, ownContext, untilStatus } from "./browser.ts";

describeInBrowser("the tabs example", (browser) => {
  test("shows a change in one tab in all tabs, and in one that is opened later", async () => {
    const server = await ownServer(example("tabs"));
    const context = await ownContext(browser());
    const one = await openPage(context, server.url("/"));
    const two = await openPage(context, server.url("/"));
    for (const page of [one, two]) await untilStatus(page, "connected");
    await one.getByLabel("Note").fill("milk");
    await untilField(two, "Note", "milk");
    await two.getByLabel("Note").fill("milk, bread");
    await two.getByLabel("Count").fill("2");

    const three = await openPage(context, server.url("/"));
    for (const page of [one, three]) {
      await untilField(page, "Note", "milk, bread");
      await untilField(page, "Count", "2");
    }
  });

  test("shows the change in no other browser", async () => {
    const server = await ownServer(example("tabs"));
    const context = await ownContext(browser());
    const [one, two] = [await openPage(context, server.url("/")), await openPage(context, server.url("/"))];
    const outside = await openPage(await ownContext(browser()), server.url("/"));
    for (const page of [one, two, outside]) await untilStatus(page, "connected");
    await one.getByLabel("Note").fill("milk");
    await untilField(two, "Note", "milk");
    await expect(outside.getByLabel("Note").inputValue()).resolves.toBe("");
  });

  test("brings the tabs in step again after the relay restarts, with the changes made meanwhile", async () => {
    const server = await ownServer(example("tabs"));
    const context = await ownContext(browser());
    const tabs: Page[] = [];
    for (let i = 0; i < 3; i++) tabs.push(await openPage(context, server.url("/")));
    for (const page of tabs) await untilStatus(page, "connected as");
    await tabs[0]?.getByLabel("Note").fill("milk");
    for (const page of tabs) await untilField(page, "Note", "milk");

    server.process.kill();
    for (const page of tabs) await untilStatus(page, "connection lost, trying again");
    await server.process.untilExit();
    await tabs[1]?.getByLabel("Note").fill("bread");
    const restarted = await ownServer(example("tabs"), { env: { PORT: String(server.port) } });

    for (const page of tabs) {
      await untilStatus(page, "connected as");
      await untilField(page, "Note", "bread");
    }
    await tabs[2]?.getByLabel("Count").fill("7");
    const late = await openPage(context, restarted.url("/"));
    for (const page of [...tabs, late]) {
      await untilField(page, "Note", "bread");
      await untilField(page, "Count", "7");
    }
  });
});

function untilField(page: Page, label: string, value: string): Promise<void> {
  return expect.poll(() => page.getByLabel(label).inputValue(), { timeout: PATIENCE_MS }).toBe(value);
}
