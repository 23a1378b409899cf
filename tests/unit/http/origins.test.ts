import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allowsOrigin, type OriginRules, parseOrigins } from "../../../src/http/origins.ts";

function rules(text: string): OriginRules {
  const parsed = parseOrigins(text);
  if (parsed === undefined) throw new Error(`${text} is no list of origins`);
  return parsed;
}

describe("an exact origin", () => {
  test.each([
    ["https://example.org", "https://example.org"],
    ["https://example.org", "HTTPS://Example.ORG"],
    ["HTTPS://Example.ORG", "https://example.org"],
    ["https://example.org:443", "https://example.org"],
    ["https://example.org", "https://example.org:443"],
    ["http://example.org:80", "http://example.org"],
    ["http://localhost:3000", "http://localhost:3000"],
    ["http://[::1]:3000", "http://[0:0::1]:3000"],
    ["http://127.0.0.1", "http://127.0.0.1"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["capacitor://localhost", "capacitor://localhost"],
    ["chrome-extension://abcdefgh", "chrome-extension://abcdefgh"],
    [" https://a.example , https://example.org ", "https://example.org"],
  ])("%j allows %j", (list, origin) => {
    expect(allowsOrigin(rules(list), origin)).toBe(true);
  });

  test.each([
    "http://example.org",
    "https://example.org:8443",
    "https://www.example.org",
    "https://example.org.evil.com",
    "https://evilexample.org",
    "https://example.org.",
    "https://example.org@evil.com",
    "https://evil.com@example.org",
    "https://example.org:443@evil.com",
    "https://evil.com/https://example.org",
    "https://evil.com?https://example.org",
    "https://evil.com#https://example.org",
    "https://evil.com\\https://example.org",
    "https://example.org/",
    "https://example.org, https://evil.com",
    " https://example.org",
    "https:example.org",
    "https:///example.org",
    "//example.org",
    "example.org",
    "null",
    "",
    "*",
  ])("https://example.org does not allow %j", (origin) => {
    expect(allowsOrigin(rules("https://example.org"), origin)).toBe(false);
  });
});

describe("a pattern of subdomains", () => {
  test.each([
    ["https://*.example.org", "https://www.example.org"],
    ["https://*.example.org", "https://a.b.c.example.org"],
    ["https://*.example.org", "https://WWW.Example.org:443"],
    ["https://*.Example.org:443", "https://www.example.org"],
    ["http://*.localhost:3000", "http://app.localhost:3000"],
  ])("%j allows %j", (list, origin) => {
    expect(allowsOrigin(rules(list), origin)).toBe(true);
  });

  test.each([
    "https://example.org",
    "https://.example.org",
    "https://..example.org",
    "https://a..example.org",
    "https://*.example.org",
    "http://www.example.org",
    "https://www.example.org:8443",
    "https://evilexample.org",
    "https://www.example.org.evil.com",
    "https://www.example.org.",
    "https://evil.com@www.example.org",
    "https://evil.com/.example.org",
    "https://evil.com?.example.org",
    "https://evil.com#.example.org",
    "https://evil.com\\.example.org",
    "https://evil.com%2f.example.org",
    "https://evil.com:80.example.org",
    "https://evil.com, https://www.example.org",
    "null",
  ])("https://*.example.org does not allow %j", (origin) => {
    expect(allowsOrigin(rules("https://*.example.org"), origin)).toBe(false);
  });

  test("may be in a list with exact origins", () => {
    const both = rules("https://example.org,https://*.example.org");
    const origins = ["https://example.org", "https://www.example.org", "https://www.example.com"];
    expect(origins.map((origin) => allowsOrigin(both, origin))).toEqual([true, true, false]);
  });
});

describe("the origin", () => {
  test.each([null, undefined])("%s, of a client that is no browser, is always allowed", (origin) => {
    expect(allowsOrigin(rules("https://example.org"), origin)).toBe(true);
  });

  test.each(["https://evil.com", "null", "", "rubbish"])("%j is allowed by *", (origin) => {
    expect(allowsOrigin(rules("*"), origin)).toBe(true);
    expect(allowsOrigin(rules("https://example.org, *"), origin)).toBe(true);
  });

  test("of any kind never throws, and is allowed where the list is that origin", () => {
    const anyOrigin = fc.oneof(fc.webUrl({ withFragments: true, withQueryParameters: true }), fc.string());
    fc.assert(
      fc.property(anyOrigin, (text) => {
        const parsed = parseOrigins(text);
        if (parsed !== undefined) expect(parsed.any || allowsOrigin(parsed, text.trim().split(",")[0])).toBe(true);
        expect(allowsOrigin(rules("https://*.example.org"), text)).toBe(false);
      }),
    );
  });
});

describe("a list of origins", () => {
  test.each([
    "",
    " ",
    ",",
    "https://example.org,",
    "example.org",
    "*.example.org",
    "https://",
    "https://*",
    "https://*.",
    "https://*.*.example.org",
    "https://www.*.example.org",
    "https://*example.org",
    "https://*.[::1]",
    "https://example.org/",
    "https://example.org/path",
    "https://user@example.org",
    "https://example.org?",
    "https://example.org#",
    "https://example.org:",
    "https://example.org:65536",
    "https://example.org:http",
    "https://a..example.org",
    "https://example.org https://example.com",
    "https://[::1",
    "null",
    "**",
  ])("is not %j", (text) => {
    expect(parseOrigins(text)).toBeUndefined();
  });
});
