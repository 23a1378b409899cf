import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished } from "vitest";
import type { Program } from "../conformance/runtimes.ts";

/** A browser shares two cores with all other tests. */
const PATIENCE_MS = 20_000;
const TIMEOUT_MS = 60_000;

const EXECUTABLE = "/usr/bin/chromium";

const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // WebRTC between two pages of this machine, whatever networks it has.
  "--allow-loopback-in-peer-connection",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

const isMissing = !existsSync(EXECUTABLE);
if (isMissing) console.warn(`Not tested in a browser: there is no ${EXECUTABLE}; apt-get install chromium`);

/**
 * Tests that a browser takes part in; without one they are skipped. Each gets the browser that all of them share.
 *
 * @param options `ignoreDefaultArgs`: arguments that Playwright would give the browser, and that it is to do without.
 */
export function describeInBrowser(
  name: string,
  tests: (browser: () => Browser) => void,
  { ignoreDefaultArgs = [] }: { readonly ignoreDefaultArgs?: string[] } = {},
): void {
  describe.skipIf(isMissing)(name, { timeout: TIMEOUT_MS }, () => {
    let browser: Browser | undefined;
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGS, ignoreDefaultArgs });
    });
    afterAll(() => browser?.close());
    tests(() => {
      if (browser === undefined) throw new Error("The browser is there only while a test runs");
      return browser;
    });
  });
}

/** A browser window of its own: its pages share storage and cookies with each other and nobody else. Nothing in them may throw. */
export async function ownContext(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  const errors: string[] = [];
  context.on("weberror", (error) => errors.push(String(error.error())));
  onTestFinished(async () => {
    await context.close();
    expect(errors).toEqual([]);
  });
  return context;
}

/** A page of the context at an address. */
export async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Waits until the page's status says so. */
export async function untilStatus(page: Page, text: string | RegExp): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor();
}

/** An example of docs/examples, as `ownServer` starts it. */
export function example(name: string): Program {
  return { command: [process.execPath, `docs/examples/${name}/server.mjs`] };
}
