import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { writeSettingsPage } from "../../scripts/docs/settings-page.ts";
import { DEFAULT_LIMITS } from "../../src/core/link/limits.ts";
import { RELAY_OPTION_KINDS } from "../../src/core/relay-options.ts";
import { APP_OPTION_KINDS } from "../../src/http/app-options.ts";

const ROOT = new URL("../../", import.meta.url);
const CONFORMANCE = new URL("tests/conformance/", ROOT);

const page = readFileSync(new URL("docs/protocol.md", ROOT), "utf8");

/** The source of the black-box suite, without the fuzz test, which sends everything and expects no certain answer. */
const suite = readdirSync(CONFORMANCE, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.startsWith("fuzz"))
  .map((name) => readFileSync(new URL(name, CONFORMANCE), "utf8"))
  .join("\n");

/** Returns the cells of one column of the first table in the section with this heading. */
function column(heading: string, index: number): string[] {
  const start = page.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`Cannot find the section "${heading}" in docs/protocol.md`);
  const [first = ""] = /(?:^\|.*\n)+/m.exec(page.slice(start + heading.length)) ?? [];
  const [_head, _rule, ...rows] = first.trimEnd().split("\n");
  return rows.map((row) => row.split("|")[index + 1]?.trim() ?? "");
}

/** Returns the text in backquotes of the cells. */
function quoted(cells: readonly string[]): string[] {
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
}

const table = {
  errors: quoted(column("## Errors", 0)),
  closeCodes: column("## Close codes", 0).flatMap((cell) => cell.match(/\d{4}/g) ?? []),
  reasons: quoted(column("## Close codes", 1)),
  toTheRelay: quoted(column("### From the client", 0)),
  fromTheRelay: quoted(column("### From the relay", 0)),
  commands: quoted(column("## Text", 0)).flatMap((command) => command.match(/^:\w+/) ?? []),
};

/** Returns the names whose pattern matches nowhere in the suite. */
function missing(names: readonly string[], pattern: (name: string) => string): string[] {
  return names.filter((name) => !new RegExp(pattern(name)).test(suite));
}

describe("there is a test in tests/conformance", () => {
  test.each([
    ["each error", table.errors, 10, (code: string) => `"${code}"|:error ${code}\\b`],
    ["each close code", table.closeCodes, 10, (code: string) => `\\b${code}\\b`],
    ["each reason text", table.reasons, 5, (reason: string) => reason],
    ["each frame of JSON to the relay", table.toTheRelay, 10, (type: string) => `type"?: ?"${type}"`],
    ["each frame of JSON from the relay", table.fromTheRelay, 7, (type: string) => `type: "${type}"`],
    ["each command of text", table.commands, 5, (command: string) => `["\`]${command}\\b`],
  ])("for %s that docs/protocol.md lists", (_what, names, atLeast, pattern) => {
    expect(names.length).toBeGreaterThanOrEqual(atLeast);
    expect(missing(names, pattern)).toEqual([]);
  });

  test("for each code of a refused upgrade", () => {
    // That section has two tables; the codes are in the second one.
    const [, section = ""] = page.split("A request that cannot be upgraded");
    const codes = quoted(
      section
        .split("\n## ")[0]
        ?.split("\n")
        .filter((line) => /^\| \d/.test(line))
        .map((line) => line.split("|")[2] ?? "") ?? [],
    );
    expect(codes.length).toBeGreaterThanOrEqual(8);
    expect(missing(codes, (code) => `"${code}"`)).toEqual([]);
  });
});

test("docs/settings.md is as `npm run docs` writes it", () => {
  expect(readFileSync(new URL("docs/settings.md", ROOT), "utf8")).toBe(writeSettingsPage());
});

test("docs/server.md lists each option and each limit of a relay", () => {
  const server = readFileSync(new URL("docs/server.md", ROOT), "utf8");
  const { signer: _signer, ...relayOptions } = RELAY_OPTION_KINDS;
  const names = Object.keys({ ...relayOptions, ...APP_OPTION_KINDS, ...DEFAULT_LIMITS, secret: "" });
  expect(names.filter((name) => !new RegExp(`^\\|.*\\\`${name}\\\`.*\\|`, "m").test(server))).toEqual([]);
});

test("each link to a section of a page leads to one", () => {
  const documents = readdirSync(new URL("docs/", ROOT), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => new URL(`docs/${name}`, ROOT));
  const pages = [
    ...documents,
    ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map((name) => new URL(name, ROOT)),
  ];
  const links = pages.flatMap((url) =>
    [...readFileSync(url, "utf8").matchAll(/\]\(((?![a-z]+:)[^)#]*)#([^)]+)\)/g)].map(([, path = "", anchor = ""]) => {
      return { page: url.pathname, target: path === "" ? url : new URL(path, url), anchor };
    }),
  );
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter(({ target, anchor }) => !anchorsOf(target).includes(anchor))).toEqual([]);
});

/** Returns the anchors that GitHub makes for the headings of a page. */
function anchorsOf(url: URL): string[] {
  return [...readFileSync(url, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}
