import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addressKey,
  clientAddress,
  parseTrustedProxies,
  type TrustedProxies,
} from "../../../src/http/client-address.ts";

const PROXY = "10.0.0.1";
const CLIENT = "203.0.113.7";

function trust(text: string): TrustedProxies {
  const proxies = parseTrustedProxies(text);
  if (proxies === undefined) throw new Error(`${text} is no list of proxies`);
  return proxies;
}

/** Returns the client of a request from the proxy 10.0.0.1, with the networks 10.0.0.0/8 and fd00::/8 trusted. */
function behindProxy(headers: Readonly<Record<string, string>>): string {
  return clientAddress(PROXY, new Headers(headers), trust("10.0.0.0/8, fd00::/8"));
}

describe("a peer that is not a trusted proxy", () => {
  test.each([
    ["", CLIENT],
    ["10.0.0.0/8", CLIENT],
    ["203.0.113.6", CLIENT],
    ["::/0", CLIENT],
    ["0.0.0.0/0", "2001:db8::1"],
  ])("with %j trusted is the client itself, whatever its headers say", (trusted, peer) => {
    const headers = new Headers({ "X-Forwarded-For": "1.1.1.1", Forwarded: "for=1.1.1.1" });
    expect(clientAddress(peer, headers, trust(trusted))).toBe(peer);
  });

  test.each([
    ["::ffff:203.0.113.7", CLIENT],
    ["::ffff:cb00:7107", CLIENT],
    ["2001:0DB8:0::1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1%eth0"],
  ])("%j is spelled %s", (peer, spelled) => {
    expect(clientAddress(peer, new Headers(), [])).toBe(spelled);
  });

  test.each(["", "unknown", "/run/relay.sock", "1.2.3", "1.2.3.4:80"])(
    "%j that is no address stays as it is",
    (peer) => {
      expect(clientAddress(peer, new Headers({ "X-Forwarded-For": CLIENT }), trust("0.0.0.0/0,::/0"))).toBe(peer);
    },
  );
});

describe("behind trusted proxies, X-Forwarded-For", () => {
  test.each([
    ["names the client", CLIENT, CLIENT],
    ["counts from its end, so what the client made up before is ignored", `1.1.1.1, 10.9.9.9, ${CLIENT}`, CLIENT],
    ["is walked through each trusted proxy", `1.1.1.1, ${CLIENT}, 10.0.0.3, fd00::2,10.0.0.2`, CLIENT],
    ["may name trusted proxies only: the first of them is the client", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["may have ports", `${CLIENT}:4711, 10.0.0.2:80`, CLIENT],
    ["may have IPv6 in brackets, with a port", "[2001:db8::7]:4711, [fd00::1]", "2001:db8::7"],
    ["may have IPv6 without brackets", "2001:db8::7", "2001:db8::7"],
    ["may have IPv4 written as IPv6", `::ffff:${CLIENT}, ::ffff:10.0.0.2`, CLIENT],
    ["of rubbish leaves the proxy", "rubbish", PROXY],
    ["of nothing leaves the proxy", "", PROXY],
    ["is followed no further than what is no address", `${CLIENT}, unknown, 10.0.0.2`, "10.0.0.2"],
    ["is followed no further than an empty hop", `${CLIENT},, 10.0.0.2`, "10.0.0.2"],
    ["with a quote that a client left open does not hide the client", `1.1.1.1, ", ${CLIENT}`, CLIENT],
  ])("%s", (_what, list, client) => {
    expect(behindProxy({ "X-Forwarded-For": list })).toBe(client);
  });

  test.each(["010.0.0.2", "0x0a.0.0.2", "10.2", "167772162", "10.0.0.256", "::ffff:010.0.0.2", "[10.0.0.2]"])(
    "takes the spelling %s for no address",
    (spelling) => {
      expect(behindProxy({ "X-Forwarded-For": `${CLIENT}, ${spelling}` })).toBe(PROXY);
    },
  );

  test("on several lines is one list", () => {
    const headers = new Headers([
      ["X-Forwarded-For", `1.1.1.1, ${CLIENT}`],
      ["X-Forwarded-For", "10.0.0.2"],
    ]);
    expect(clientAddress(PROXY, headers, trust("10.0.0.0/8"))).toBe(CLIENT);
  });

  test("is read in its last 4096 characters only, without the hop that is cut there", () => {
    const proxies = "fd00::1,".repeat(510);
    expect(behindProxy({ "X-Forwarded-For": `1.1.1.1,${proxies}10.0.0.3` })).toBe("1.1.1.1");
    expect(behindProxy({ "X-Forwarded-For": `91.1.1.1,${proxies}10.0.0.3` })).toBe("fd00::1");
    expect(behindProxy({ "X-Forwarded-For": `${"1.1.1.1,".repeat(9999)}${CLIENT}` })).toBe(CLIENT);
  });
});

describe("behind trusted proxies, Forwarded", () => {
  test.each([
    ["names the client", `for=${CLIENT}`, CLIENT],
    ["names the client among other things", `proto=https; For=${CLIENT};by=10.0.0.1`, CLIENT],
    ["counts from its end", `for=1.1.1.1, for=${CLIENT}, for="10.0.0.2:80"`, CLIENT],
    ["may have IPv6, in brackets and quotes", 'for="[2001:db8::7]:4711", for="[fd00::1]"', "2001:db8::7"],
    ["may have an obscured port", `for="${CLIENT}:_hidden"`, CLIENT],
    ["may escape what needs none", 'for="203.0.113\\.7"', CLIENT],
    ["may have separators in quotes", `for=${CLIENT};host="a,b;for=1.1.1.1"`, CLIENT],
    ["may have quotes in quotes", `for=${CLIENT};host="a\\", for=1.1.1.1;x=\\"b\\\\"`, CLIENT],
    ["is followed no further than unknown", `for=${CLIENT}, for=unknown, for=10.0.0.2`, "10.0.0.2"],
    ["is followed no further than a hidden hop", `for=${CLIENT}, for=_hidden, for=10.0.0.2`, "10.0.0.2"],
    ["is followed no further than a hop without for", `for=${CLIENT}, proto=https`, PROXY],
    ["is followed no further than a hop with for twice", "for=1.1.1.1;for=2.2.2.2", PROXY],
    ["of rubbish leaves the proxy", "rubbish", PROXY],
    ["with a quote that a client left open does not hide the client", `for=1.1.1.1;x=", for=${CLIENT}`, CLIENT],
    [
      "with a quote that a client left open before quotes does not hide the client",
      'for=1.1.1.1, for=", for="[2001:db8::7]"',
      "2001:db8::7",
    ],
  ])("%s", (_what, list, client) => {
    expect(behindProxy({ Forwarded: list })).toBe(client);
  });

  test("is ignored beside X-Forwarded-For, because a client may have written it", () => {
    expect(behindProxy({ Forwarded: "for=1.1.1.1", "X-Forwarded-For": CLIENT })).toBe(CLIENT);
    expect(behindProxy({ Forwarded: "for=1.1.1.1", "X-Forwarded-For": "rubbish" })).toBe(PROXY);
  });
});

describe("a list of trusted proxies", () => {
  test.each([
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "127.0.0.2", false],
    ["::1", "::1", true],
    ["192.168.7.9/16", "192.168.200.1", true],
    ["172.16.0.0/12", "172.32.0.0", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["0.0.0.0/0", "8.8.8.8", true],
    ["::ffff:10.0.0.0/104", "10.200.0.1", true],
    ["::ffff:10.0.0.1", "10.0.0.1", true],
    ["10.0.0.1", "::ffff:10.0.0.1", true],
    ["fe80::/10", "fe80::1%eth0", true],
    [" 10.0.0.0/8 , ::1 ", "::1", true],
  ])("%j covers %s: %j", (list, peer, covers) => {
    expect(clientAddress(peer, new Headers({ "X-Forwarded-For": CLIENT }), trust(list)) === CLIENT).toBe(covers);
  });

  test("may be empty", () => {
    expect(parseTrustedProxies("")).toEqual([]);
    expect(parseTrustedProxies(" ")).toEqual([]);
  });

  test.each([
    "localhost",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/255.0.0.0",
    "10.0.0.0/8/8",
    "10.0.0",
    "010.0.0.1",
    "10.0.0.1,",
    ",",
    "10.0.0.1 10.0.0.2",
    "[::1]",
    "10.0.0.1:80",
    "fe80::1%eth0",
    "::ffff:10.0.0.0/95",
    "1",
  ])("is not %j", (text) => {
    expect(parseTrustedProxies(text)).toBeUndefined();
  });
});

describe("the key of an address", () => {
  test.each([
    [CLIENT, CLIENT],
    ["::ffff:203.0.113.7", CLIENT],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["::1", "::/64"],
    ["fe80::1%eth0", "fe80::/64"],
    ["", ""],
    ["unknown", "unknown"],
  ])("of %j is %j", (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  test("is one for all IPv6 addresses with the same first 64 bits, and for no others", () => {
    const half = fc
      .array(fc.nat(0xffff), { minLength: 4, maxLength: 4 })
      .map((groups) => groups.map((group) => group.toString(16)).join(":"));
    fc.assert(
      fc.property(half, half, half, (network, one, other) => {
        expect(addressKey(`${network}:${one}`)).toBe(addressKey(`${network}:${other}`));
        fc.pre(network !== one);
        expect(addressKey(`${network}:${other}`)).not.toBe(addressKey(`${one}:${other}`));
      }),
    );
  });
});

describe("no input makes the functions throw", () => {
  const anyAddress = fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), fc.string());
  const anyPiece = fc.oneof(
    anyAddress,
    fc.constantFrom(
      "for=",
      "For=",
      ",",
      ";",
      '"',
      "\\",
      "[",
      "]",
      ":",
      "%",
      " ",
      "10.0.0.2",
      "::ffff:",
      "/",
      "unknown",
    ),
  );
  const anyText = fc.oneof(
    fc.array(anyPiece, { maxLength: 20 }).map((pieces) => pieces.join("")),
    fc.array(anyPiece, { maxLength: 20 }).map((pieces) => pieces.join(", for=")),
  );
  const anyHeader = fc.option(anyText.map((text) => text.replaceAll(/[^ -~]/g, "")));

  test("and the result for a peer that is an address is an address", () => {
    const trusted = trust("10.0.0.0/8,::/1,128.0.0.0/2");
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), anyHeader, anyHeader, (peer, forwarded, forwardedFor) => {
        const headers = new Headers();
        if (forwarded !== null) headers.set("Forwarded", forwarded);
        if (forwardedFor !== null) headers.set("X-Forwarded-For", forwardedFor);
        const client = clientAddress(peer, headers, trusted);
        expect(parseTrustedProxies(client.replace(/%.*/, ""))).toHaveLength(1);
        expect(clientAddress(client, new Headers(), [])).toBe(client);
      }),
      { numRuns: 2000 },
    );
  });

  test("as a peer, as an address to count by, or as a list of proxies", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(clientAddress(text, new Headers({ "X-Forwarded-For": CLIENT }), trust("::/0"))).toBeTypeOf("string");
        expect(addressKey(text)).toBeTypeOf("string");
        const proxies = parseTrustedProxies(text);
        if (proxies !== undefined) clientAddress(PROXY, new Headers(), proxies);
      }),
      { numRuns: 2000 },
    );
  });

  test("and text that a client puts first does not change what the proxies append", () => {
    fc.assert(
      fc.property(anyHeader, fc.constantFrom(`for=${CLIENT}`, `for="${CLIENT}:80"`), (madeUp, appended) => {
        expect(behindProxy({ Forwarded: `${madeUp ?? ""}, ${appended}` })).toBe(CLIENT);
        expect(behindProxy({ Forwarded: `${madeUp ?? ""}, ${appended}, for="[fd00::1]"` })).toBe(CLIENT);
        expect(behindProxy({ "X-Forwarded-For": `${madeUp ?? ""}, ${CLIENT}, 10.0.0.2` })).toBe(CLIENT);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a peer without an address", () => {
  const headers = new Headers({ "X-Forwarded-For": "9.9.9.9, 203.0.113.7, 10.0.0.1" });

  test("is a proxy on a Unix socket where unix is trusted", () => {
    expect(clientAddress(undefined, headers, trust("unix"))).toBe("10.0.0.1");
    expect(clientAddress(undefined, headers, trust("10.0.0.0/8, unix"))).toBe(CLIENT);
    expect(clientAddress(undefined, new Headers(), trust("unix"))).toBeUndefined();
    expect(clientAddress(undefined, new Headers({ "X-Forwarded-For": "unknown" }), trust("unix"))).toBeUndefined();
  });

  test("is unknown where unix is not trusted", () => {
    expect(clientAddress(undefined, headers, trust("10.0.0.0/8"))).toBeUndefined();
  });

  test("does not make a peer with an address trusted", () => {
    expect(clientAddress("10.0.0.1", headers, trust("unix"))).toBe("10.0.0.1");
  });
});
