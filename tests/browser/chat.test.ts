import type { BrowserContext, Page } from "playwright-core";
import { expect, test } from "vitest";
import { ownServer } from "../conformance/subject.ts";
import { PATIENCE_MS } from "../conformance/wait.ts";
import { describeInBrowser, example, openPage, ownContext, untilStatus } from "./browser.ts";

describeInBrowser("the chat example", (browser) => {
  test("shows two people each other and their messages", async () => {
    const server = await ownServer(example("chat"));
    const anna = await enter(await ownContext(browser()), server.url("/"), "anna", "lobby");
    const ben = await enter(await ownContext(browser()), server.url("/"), "ben", "lobby");
    await anna.getByRole("log").getByText("ben joined").waitFor();
    for (const page of [anna, ben]) await untilMembers(page, ["anna", "ben"]);

    await say(anna, "hello <b>ben</b>");
    await say(ben, "您好");
    for (const page of [anna, ben]) {
      await page.getByRole("log").getByText("anna: hello <b>ben</b>").waitFor();
      await page.getByRole("log").getByText("ben: 您好").waitFor();
    }

    await ben.close();
    await anna.getByRole("log").getByText("ben left").waitFor();
    await untilMembers(anna, ["anna"]);
  });

  test("shows no messages to a person in another room", async () => {
    const server = await ownServer(example("chat"));
    const context = await ownContext(browser());
    const anna = await enter(context, server.url("/"), "anna", "lobby");
    const ben = await enter(context, server.url("/"), "ben", "lobby");
    const carla = await enter(context, server.url("/"), "carla", "cellar");
    await say(anna, "hello, all");
    await ben.getByRole("log").getByText("anna: hello, all").waitFor();
    await say(carla, "anybody?");
    await carla.getByRole("log").getByText("carla: anybody?").waitFor();
    await expect(carla.getByRole("log").innerText()).resolves.toBe("carla: anybody?");
  });

  test("hands a taken name over to the person who enters with it, and tells the other", async () => {
    const server = await ownServer(example("chat"));
    const context = await ownContext(browser());
    const first = await enter(context, server.url("/"), "anna", "lobby");
    await enter(context, server.url("/"), "anna", "lobby");
    await untilStatus(first, "closed: The session goes on over another connection");
  });
});

async function enter(context: BrowserContext, url: string, name: string, room: string): Promise<Page> {
  const page = await openPage(context, url);
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Room").fill(room);
  await page.getByRole("button", { name: "Enter" }).click();
  await untilStatus(page, `connected as ${name}`);
  await page.getByRole("list", { name: "Members" }).getByText(name, { exact: true }).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

function untilMembers(page: Page, names: readonly string[]): Promise<void> {
  const items = page.getByRole("list", { name: "Members" }).getByRole("listitem");
  return expect.poll(() => items.allInnerTexts(), { timeout: PATIENCE_MS }).toEqual(names);
}
