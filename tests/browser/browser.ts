import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished } from "vitest";
import type { Program } from "../conformance/runtimes.ts";

/** Timeouts for a browser that shares two cores with all other tests. */
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
  // Let two pages on this machine use WebRTC, whatever networks it has.
  "--allow-loopback-in-peer-connection",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

const isMissing = !existsSync(EXECUTABLE);
if (isMissing)
  console.warn(`Skipped: the tests in a browser, since there is no ${EXECUTABLE}; apt-get install chromium`);

/**
 * Describes tests that share a browser. Skips them where the machine has none.
 *
 * @param tests Defines the tests; it receives a function that returns the browser.
 * @param options `ignoreDefaultArgs`: arguments of Playwright that the browser must not get.
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
      if (browser === undefined) throw new Error("Cannot use the browser outside of a test");
      return browser;
    });
  });
}

/**
 * Opens a browser context for one test: its pages share storage and cookies with no other context.
 *
 * The test fails on an uncaught error in any of its pages.
 */
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

/** Opens a page at this address. */
export async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Waits until the page's status has this text. */
export async function untilStatus(page: Page, text: string | RegExp): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor();
}

/** Returns the program of an example in docs/examples, for `ownServer`. */
export function example(name: string): Program {
  return { command: [process.execPath, `docs/examples/${name}/server.mjs`] };
}
