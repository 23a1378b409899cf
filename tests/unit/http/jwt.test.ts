import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createJwtAuthorize, type JwtOptions } from "../../../src/http/jwt.ts";
import { ask, encode, forge, refused, SECRET, sign, signClaims } from "./tokens.ts";

const nowSeconds = () => Math.floor(Date.now() / 1000);

/** Returns the decision on a token, with the secret and these options set. */
async function answer(token: string | Promise<string>, options: JwtOptions = {}) {
  return ask(createJwtAuthorize({ secret: SECRET, ...options }), await token);
}

describe("a token signed with the secret", () => {
  test("accepts its subject", async () => {
    expect(await answer(sign())).toEqual({ allow: true, id: "alice" });
  });

  test("may have an end, rooms, and ids to send to", async () => {
    const exp = nowSeconds() + 60;
    expect(await answer(sign({ exp, rooms: ["lobby", "team-*"], to: [] }))).toEqual({
      allow: true,
      id: "alice",
      expiresAt: (exp + 3) * 1000,
      rooms: ["lobby", "team-*"],
      to: [],
    });
  });

  test.each([
    ["with another secret", () => sign({}, "f".repeat(32)), "signature is wrong"],
    ["with HS512", () => sign({}, SECRET.repeat(2), "HS512"), "algorithm"],
    ["with nothing", async () => forge({ alg: "none" }, { sub: "alice" }), "algorithm"],
    ["with nothing, in other letters", async () => forge({ alg: "nOnE" }, { sub: "alice" }), "algorithm"],
    ["and cut", async () => (await sign()).slice(0, -1), ""],
    ["and without its signature", async () => (await sign()).replace(/[^.]*$/, ""), "signature is wrong"],
    ["and changed", async () => (await sign()).replace(/\..*\./, `.${encode({ sub: "bob" })}.`), "signature is wrong"],
  ])("is refused when signed %s", async (_how, token, words) => {
    expect(await answer(token())).toEqual(refused(401, words));
  });

  test.each(["x", "a.b.c", "..", "....", "é", "a.b.c.d.e", forge({}, {}), forge({ alg: 1 }, {}), forge([], [])])(
    "is not %j",
    async (token) => {
      expect(await answer(token)).toEqual(refused(401, "the token cannot be read"));
    },
  );

  test("is refused when its header has a critical extension that the relay does not know", async () => {
    expect(await answer(forge({ alg: "HS256", crit: ["x"], x: 1 }, {}))).toEqual(refused(401, "cannot be read"));
  });
});

describe("the claims of a token", () => {
  test("refuse an expired token, with that reason", async () => {
    const now = Math.floor(Date.now() / 1000);
    expect(await answer(sign({ exp: now - 10 }))).toEqual({ ...refused(401, "has expired"), expired: true });
  });

  test.each([["is not valid yet", { nbf: 10 }, "is not valid yet"]])(
    "that %s refuse it",
    async (_what, offsets, words) => {
      const claims = Object.fromEntries(Object.entries(offsets).map(([name, offset]) => [name, nowSeconds() + offset]));
      expect(await answer(sign(claims))).toEqual(refused(401, words));
    },
  );

  test("accept a clock that differs by a second, with an end that is in the future", async () => {
    const now = nowSeconds();
    expect(await answer(sign({ nbf: now + 1 }))).toMatchObject({ allow: true });
    const authorization = await answer(sign({ exp: now - 1 }));
    expect(authorization).toEqual({ allow: true, id: "alice", expiresAt: (now + 2) * 1000 });
  });

  test.each([
    ["exp", "soon"],
    ["exp", null],
    ["nbf", "2020-01-01"],
  ])("refuse a token whose %s is %j", async (claim, value) => {
    expect(await answer(sign({ [claim]: value }))).toEqual(refused(401, `${claim} is not a number`));
  });

  test.each([
    ["aud", undefined, "has no aud"],
    ["aud", "chat", "aud is not"],
    ["aud", ["chat", "mail"], "aud is not"],
    ["iss", undefined, "has no iss"],
    ["iss", "https://evil.example", "iss is not"],
  ])("refuse a token whose %s is %j where another value is required", async (claim, value, words) => {
    const options = claim === "aud" ? { audience: "relay" } : { issuer: "https://issuer.example" };
    expect(await answer(sign(value === undefined ? {} : { [claim]: value }), options)).toEqual(refused(401, words));
  });

  test("accept the required audience and issuer, and any where none is required", async () => {
    const claims = { aud: ["chat", "relay"], iss: "https://issuer.example" };
    const options = { audience: "relay", issuer: "https://issuer.example" };
    expect(await answer(sign(claims), options)).toMatchObject({ allow: true });
    expect(await answer(sign(claims))).toMatchObject({ allow: true });
  });

  test("refuse a token without a subject", async () => {
    expect(await answer(signClaims({}))).toEqual(refused(401, "has no sub"));
  });

  test.each(["", "a b", "a:b", "#a", "x".repeat(65), "é", 7, null, ["alice"]])(
    "refuse with 403 the subject %j, which cannot be an id",
    async (sub) => {
      const claims = JSON.parse(JSON.stringify({ sub })); // The types of SignJWT do not allow these values.
      expect(await answer(signClaims(claims))).toEqual(refused(403, "\\(sub\\)"));
    },
  );

  test.each(["*", null, { lobby: true }, [1], ["lobby", null], [["lobby"]], true, ""])(
    "refuse it where rooms or to is %j",
    async (value) => {
      expect(await answer(sign({ rooms: value }))).toEqual(refused(401, "rooms are not an array of strings"));
      expect(await answer(sign({ to: value }))).toEqual(refused(401, "to is not an array of strings"));
    },
  );
});

describe("the token", () => {
  const authorize = createJwtAuthorize({ secret: SECRET });

  async function askWith({ bearer, protocols, parameter }: Readonly<Record<string, string>>) {
    const url = new URL("http://relay.example/ws?from=1");
    if (parameter !== undefined) url.searchParams.set("token", parameter);
    const headers = new Headers();
    if (bearer !== undefined) headers.set("Authorization", bearer);
    if (protocols !== undefined) headers.set("Sec-WebSocket-Protocol", protocols);
    return authorize(new Request(url, { headers }));
  }

  test.each([
    ["in Authorization", (token: string) => ({ bearer: `Bearer ${token}` })],
    ["in Authorization, in small letters", (token: string) => ({ bearer: `bearer  ${token}` })],
    ["as a subprotocol", (token: string) => ({ protocols: `bearer.${token}` })],
    ["as a subprotocol among others", (token: string) => ({ protocols: `relay.v1.json,  bearer.${token} , x` })],
    ["as a parameter", (token: string) => ({ parameter: token })],
    ["as a parameter beside another scheme", (token: string) => ({ bearer: "Basic YTpi", parameter: token })],
    ["as a parameter beside an empty place", (token: string) => ({ protocols: "bearer.", parameter: token })],
  ])("is found %s", async (_where, place) => {
    expect(await askWith(place(await sign()))).toEqual({ allow: true, id: "alice" });
  });

  test("in Authorization counts before one in a subprotocol, and that before one in the parameter", async () => {
    const [one, two, three] = await Promise.all(["one", "two", "three"].map((sub) => sign({ sub })));
    const parameter = three ?? "";
    const protocols = `bearer.${two}, bearer.${three}`;
    expect(await askWith({ bearer: `Bearer ${one}`, protocols, parameter })).toMatchObject({ id: "one" });
    expect(await askWith({ protocols, parameter })).toMatchObject({ id: "two" });
    expect(await askWith({ parameter })).toMatchObject({ id: "three" });
  });

  test("that is found first counts, also when it is bad", async () => {
    expect(await askWith({ bearer: "Bearer x", parameter: await sign() })).toMatchObject({ status: 401 });
    expect(await askWith({ protocols: "bearer.x", parameter: await sign() })).toMatchObject({ status: 401 });
  });

  test.each([
    {},
    { bearer: "Basic YTpi" },
    { bearer: "Bearer" },
    { protocols: "bearer., relay.v1.json" },
    { parameter: "" },
  ])("that is missing from %o is refused with the places where it may be", async (places) => {
    expect(await askWith(places)).toEqual(refused(401, "no token; .*Authorization.*bearer\\..*\\?token="));
  });

  test("that is refused is not part of the sentence for the client", async () => {
    const anyHeader = fc.record(
      {
        alg: fc.oneof(fc.constantFrom("HS256", "RS256", "none"), fc.jsonValue()),
        kid: fc.jsonValue(),
        crit: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const anyToken = fc.oneof(
      fc.string({ unit: "binary-ascii", minLength: 1 }),
      fc.tuple(anyHeader, fc.object(), fc.base64String()).map((parts) => forge(...parts)),
    );
    await fc.assert(
      fc.asyncProperty(anyToken, async (token) => {
        const authorization = await askWith({ parameter: token });
        expect(authorization).toMatchObject({ allow: false, status: 401 });
        if (token.length > 20) expect(JSON.stringify(authorization)).not.toContain(token);
      }),
    );
  });
});

describe("the options", () => {
  test.each([
    [{}, "there is neither a secret nor the URL of a JWKS"],
    [{ secret: "" }, "the secret is 0 bytes, at least 32 are needed"],
    [{ secret: SECRET.slice(1) }, "the secret is 31 bytes, at least 32 are needed"],
    [{ secret: "é".repeat(15) }, "the secret is 30 bytes, at least 32 are needed"],
    [{ jwksUrl: "" }, "the URL of the JWKS is not"],
    [{ jwksUrl: "issuer.example" }, "the URL of the JWKS is not"],
    [{ jwksUrl: "file:///keys.json" }, "the URL of the JWKS is not"],
    [{ jwksUrl: "https://me:secret@issuer.example" }, "the URL of the JWKS is not"],
  ])("%o are refused", (options, words) => {
    expect(() => createJwtAuthorize(options)).toThrow(RangeError);
    expect(() => createJwtAuthorize(options)).toThrow(`Cannot check tokens: ${words}`);
  });

  test("may have a secret of 32 bytes with fewer characters", async () => {
    const secret = "é".repeat(16);
    expect(await answer(sign({}, secret), { secret })).toMatchObject({ allow: true });
  });
});
