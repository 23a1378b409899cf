import type { Page } from "playwright-core";
import { test } from "vitest";
import { ownServer } from "../conformance/subject.ts";
import { describeInBrowser, example, openPage, ownContext, untilStatus } from "./browser.ts";

describeInBrowser("the WebRTC example", (browser) => {
  test("opens a data channel between two browsers, which talk over it", async () => {
    const server = await ownServer(example("webrtc"));
    const one = await openPage(await ownContext(browser()), server.url("/"));
    await untilStatus(one, "waiting for the other");
    const two = await openPage(await ownContext(browser()), one.url());
    for (const page of [one, two]) await untilStatus(page, "connected to the other");

    await say(one, "hello");
    await two.getByRole("log").getByText("the other: hello").waitFor();
    await say(two, "hello yourself");
    await one.getByRole("log").getByText("the other: hello yourself").waitFor();
  });

  test("keeps the channel open without the relay", async () => {
    const server = await ownServer(example("webrtc"));
    const one = await openPage(await ownContext(browser()), server.url("/"));
    const two = await openPage(await ownContext(browser()), one.url());
    for (const page of [one, two]) await untilStatus(page, "connected to the other");

    server.process.kill();
    await server.process.untilExit();
    await say(one, "still there?");
    await two.getByRole("log").getByText("the other: still there?").waitFor();
  });

  test("connects the browsers again after a restart of the relay", async () => {
    const server = await ownServer(example("webrtc"));
    const one = await openPage(await ownContext(browser()), server.url("/"));
    const two = await openPage(await ownContext(browser()), one.url());
    for (const page of [one, two]) await untilStatus(page, "connected to the other");
    for (const page of [one, two]) await watchStatus(page);

    server.process.kill();
    await server.process.untilExit();
    await ownServer(example("webrtc"), { env: { PORT: String(server.port) } });
    for (const page of [one, two]) {
      await page.waitForFunction(() => document.body.dataset.statuses?.includes("waiting for the other"));
      await untilStatus(page, "connected to the other");
    }
    await say(one, "here again");
    await two.getByRole("log").getByText("the other: here again").waitFor();
  });

  test("calls a page again that was reloaded, and lets a third one wait until there is a place", async () => {
    const server = await ownServer(example("webrtc"));
    const one = await openPage(await ownContext(browser()), server.url("/"));
    const two = await openPage(await ownContext(browser()), one.url());
    for (const page of [one, two]) await untilStatus(page, "connected to the other");
    const three = await openPage(await ownContext(browser()), one.url());
    await untilStatus(three, "two are here already");

    // Navigate away first, as a user does: a killed page may not close its connection, and counts as away for a while.
    await two.goto("about:blank");
    await two.close();
    // Both remaining pages learn of it, and both call.
    await untilStatus(three, "connected to the other");
    await say(one, "hello, third");
    await three.getByRole("log").getByText("the other: hello, third").waitFor();

    await three.reload();
    await untilStatus(three, "connected to the other");
    await say(three, "back again");
    await one.getByRole("log").getByText("the other: back again").waitFor();
  });
});

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Records every later text of the status, however short its time. */
async function watchStatus(page: Page): Promise<void> {
  await page.evaluate(() => {
    const status = document.getElementById("status");
    if (status === null) throw new Error("Cannot watch the status: the page has none");
    const keep = (changes: readonly MutationRecord[]): void => {
      const texts = changes.flatMap((change) => [...change.addedNodes].map((node) => node.textContent));
      document.body.dataset.statuses = [document.body.dataset.statuses, ...texts].join("; ");
    };
    new MutationObserver(keep).observe(status, { childList: true });
  });
}
