import { describe, expect, test } from "vitest";
import { type Config, type ConfigResult, readConfig } from "../../../src/server/config.ts";

const DEFAULTS: Config = {
  host: "127.0.0.1",
  port: 8080,
  socket: undefined,
  basePath: "",
  tlsCert: undefined,
  tlsKey: undefined,
  heartbeatMs: 5000,
  heartbeatMisses: 3,
  maxMessageBytes: 1_048_576,
  maxBufferedBytes: 1_048_576,
  maxTotalBufferedBytes: 268_435_456,
  maxConnections: Number.POSITIVE_INFINITY,
  maxSessions: Number.POSITIVE_INFINITY,
  maxConnectionsPerIp: Number.POSITIVE_INFINITY,
  connectRate: Number.POSITIVE_INFINITY,
  connectRatePerIp: Number.POSITIVE_INFINITY,
  maxRoomsPerSession: 100,
  maxWatchesPerSession: 100,
  maxMailboxMessages: 1000,
  maxMailboxBytes: 1_048_576,
  rate: Number.POSITIVE_INFINITY,
  rateBurst: Number.POSITIVE_INFINITY,
  rateBytes: Number.POSITIVE_INFINITY,
  ids: "sequential",
  origins: "*",
  jwtSecret: undefined,
  jwksUrl: undefined,
  jwtAudience: undefined,
  jwtIssuer: undefined,
  secret: undefined,
  apiKeys: [],
  adminPort: 0,
  metrics: "key",
  trustedProxies: undefined,
  resumeMs: 30_000,
  drainDelayMs: 0,
  drainMs: 0,
  log: { level: "info", format: "auto" },
};

/** Every setting: its variable, its flag, a right value, the result for that value, and a wrong value. */
const SETTINGS = [
  ["HOST", "--host", "::1", { host: "::1" }, "not a host"],
  ["PORT", "--port", "0", { port: 0 }, "65536"],
  ["RELAY_SOCKET", "--socket", "/run/relay.sock", { socket: "/run/relay.sock" }, "relay.sock"],
  ["RELAY_BASE_PATH", "--base-path", "/a/b.c", { basePath: "/a/b.c" }, "/a/../b"],
  ["RELAY_HEARTBEAT_MS", "--heartbeat-ms", "50", { heartbeatMs: 50 }, "49"],
  ["RELAY_HEARTBEAT_MISSES", "--heartbeat-misses", "1", { heartbeatMisses: 1 }, "0"],
  ["RELAY_MAX_MESSAGE_BYTES", "--max-message-bytes", "64", { maxMessageBytes: 64 }, "-1"],
  ["RELAY_MAX_BUFFERED_BYTES", "--max-buffered-bytes", "64", { maxBufferedBytes: 64 }, "1e3"],
  ["RELAY_MAX_TOTAL_BUFFERED_BYTES", "--max-total-buffered-bytes", "64", { maxTotalBufferedBytes: 64 }, "0"],
  ["RELAY_MAX_CONNECTIONS", "--max-connections", "100", { maxConnections: 100 }, "many"],
  ["RELAY_MAX_SESSIONS", "--max-sessions", "100", { maxSessions: 100 }, "many"],
  ["RELAY_MAX_CONNECTIONS_PER_IP", "--max-connections-per-ip", "9", { maxConnectionsPerIp: 9 }, "-9"],
  ["RELAY_CONNECT_RATE", "--connect-rate", "9", { connectRate: 9 }, "fast"],
  ["RELAY_CONNECT_RATE_PER_IP", "--connect-rate-per-ip", "9", { connectRatePerIp: 9 }, "0.5"],
  ["RELAY_MAX_ROOMS_PER_SESSION", "--max-rooms-per-session", "1", { maxRoomsPerSession: 1 }, "0"],
  ["RELAY_MAX_WATCHES_PER_SESSION", "--max-watches-per-session", "1", { maxWatchesPerSession: 1 }, "0"],
  ["RELAY_MAX_MAILBOX_MESSAGES", "--max-mailbox-messages", "1", { maxMailboxMessages: 1 }, "0"],
  ["RELAY_MAX_MAILBOX_BYTES", "--max-mailbox-bytes", "1", { maxMailboxBytes: 1 }, "0"],
  ["RELAY_RATE", "--rate", "100", { rate: 100 }, "1000001"],
  ["RELAY_RATE_BURST", "--rate-burst", "50", { rateBurst: 50 }, "x"],
  ["RELAY_RATE_BYTES", "--rate-bytes", "64000", { rateBytes: 64_000 }, "64k"],
  ["RELAY_IDS", "--ids", "random", { ids: "random" }, "uuid"],
  ["RELAY_ORIGINS", "--origins", "https://example.org", { origins: "https://example.org" }, "example.org"],
  ["RELAY_JWKS_URL", "--jwks-url", "https://a.example/keys", { jwksUrl: "https://a.example/keys" }, "file:///keys"],
  ["RELAY_ADMIN_PORT", "--admin-port", "9100", { adminPort: 9100 }, "65536"],
  ["RELAY_METRICS", "--metrics", "open", { metrics: "open" }, "yes"],
  ["RELAY_TRUSTED_PROXIES", "--trusted-proxies", "10.0.0.0/8,::1", { trustedProxies: "10.0.0.0/8,::1" }, "10.0.0.0/99"],
  ["RELAY_RESUME_MS", "--resume-ms", "0", { resumeMs: 0 }, "86400001"],
  ["RELAY_DRAIN_DELAY_MS", "--drain-delay-ms", "5000", { drainDelayMs: 5000 }, "3600001"],
  ["RELAY_DRAIN_MS", "--drain-ms", "10000", { drainMs: 10_000 }, "10s"],
  ["RELAY_LOG", "--log", "debug,json", { log: { level: "debug", format: "json" } }, "loud"],
] as const;

function configOf(result: ConfigResult): Config {
  if (result.type !== "config") throw new Error(`Expected a config, got ${JSON.stringify(result)}`);
  return result.config;
}

function problemsOf(result: ConfigResult): readonly string[] {
  if (result.type !== "wrong") throw new Error(`Expected problems, got ${JSON.stringify(result)}`);
  return result.problems;
}

describe("the settings", () => {
  test("have defaults", () => {
    expect(readConfig({}, [])).toEqual({ type: "config", config: DEFAULTS, warnings: [] });
  });

  test.each(SETTINGS)("take %s from the environment, and %s from the command line in both forms", (...setting) => {
    const [variable, flag, value, read] = setting;
    const expected = { ...DEFAULTS, ...read };
    expect(configOf(readConfig({ [variable]: value }, []))).toEqual(expected);
    expect(configOf(readConfig({}, [flag, value]))).toEqual(expected);
    expect(configOf(readConfig({}, [`${flag}=${value}`]))).toEqual(expected);
  });

  test.each(SETTINGS)("use %s only without %s", (...setting) => {
    const [variable, flag, value, read, wrong] = setting;
    expect(configOf(readConfig({ [variable]: wrong }, [flag, value]))).toEqual({ ...DEFAULTS, ...read });
  });

  test.each(SETTINGS)("count an empty %s as absent", (variable) => {
    expect(configOf(readConfig({ [variable]: "" }, []))).toEqual(DEFAULTS);
    expect(configOf(readConfig({ [variable]: undefined }, []))).toEqual(DEFAULTS);
  });

  test("come from the environment also where another setting has a flag", () => {
    const { port, heartbeatMs } = configOf(readConfig({ PORT: "1", RELAY_HEARTBEAT_MS: "100" }, ["--port", "2"]));
    expect([port, heartbeatMs]).toEqual([2, 100]);
  });

  test("mean no bound with 0 connections", () => {
    expect(configOf(readConfig({}, ["--max-connections", "0"])).maxConnections).toBe(Number.POSITIVE_INFINITY);
  });

  test("accept a log level, and a format after a comma", () => {
    expect(configOf(readConfig({ RELAY_LOG: "off" }, [])).log).toEqual({ level: "off", format: "auto" });
    expect(configOf(readConfig({ RELAY_LOG: "error,pretty" }, [])).log).toEqual({ level: "error", format: "pretty" });
  });
});

describe("wrong settings", () => {
  test("are all reported together, by their variable", () => {
    const env = Object.fromEntries(SETTINGS.map(([variable, , , , wrong]) => [variable, wrong]));
    const problems = problemsOf(readConfig(env, []));
    expect(problems.length).toBe(SETTINGS.length);
    SETTINGS.forEach(([variable, , , , wrong], at) => {
      expect(problems[at]).toMatch(`Cannot start: ${variable} is "${wrong}", expected `);
    });
  });

  test("are all reported together, by the flag where a flag was given", () => {
    const problems = problemsOf(
      readConfig(
        {},
        SETTINGS.map(([, flag, , , wrong]) => `${flag}=${wrong}`),
      ),
    );
    expect(problems.length).toBe(SETTINGS.length);
    SETTINGS.forEach(([, flag, , , wrong], at) => {
      expect(problems[at]).toMatch(`Cannot start: ${flag} is "${wrong}", expected `);
    });
  });

  test("are reported together with unknown flags and arguments", () => {
    const problems = problemsOf(readConfig({ RELAY_LOG: "loud" }, ["--nope", "--port", "x", "stray"]));
    expect(problems.join("\n")).toContain("--nope");
    expect(problems.join("\n")).toContain("stray");
    expect(problems.join("\n")).toContain('--port is "x"');
    expect(problems.join("\n")).toContain('RELAY_LOG is "loud"');
    expect(problems.length).toBe(4);
  });

  test.each(["", " 1", "1 ", "+1", "1.5", "0x10", "1e3", "１", "NaN", "99999999999999999999"])(
    "include the port %j",
    (value) => {
      expect(problemsOf(readConfig({}, [`--port=${value}`]))).toEqual([
        `Cannot start: --port is ${JSON.stringify(value)}, expected a whole number from 0 to 65535`,
      ]);
    },
  );

  test.each(["", "info,", "info,xml", ",json", "info,json,pretty", "INFO", "warn"])("include the log %j", (value) => {
    const [problem, ...others] = problemsOf(readConfig({}, [`--log=${value}`]));
    expect(others).toEqual([]);
    expect(problem).toMatch(`Cannot start: --log is ${JSON.stringify(value)}, expected a level (debug, info, warning`);
  });

  test.each([
    ["port", 0, 65535],
    ["heartbeat-ms", 50, 3_600_000],
    ["heartbeat-misses", 1, 1000],
    ["max-message-bytes", 1, 1_073_741_824],
    ["max-buffered-bytes", 1, 1_073_741_824],
    ["max-connections", 0, 10_000_000],
    ["max-rooms-per-session", 1, 1_000_000],
    ["resume-ms", 0, 86_400_000],
  ])("of --%s are those outside %i to %i", (flag, min, max) => {
    expect(readConfig({}, [`--${flag}=${min}`]).type).toBe("config");
    expect(readConfig({}, [`--${flag}=${max}`]).type).toBe("config");
    expect(problemsOf(readConfig({}, [`--${flag}=${min - 1}`]))).toEqual([expect.stringContaining(`from ${min} to`)]);
    expect(problemsOf(readConfig({}, [`--${flag}=${max + 1}`]))).toEqual([expect.stringContaining(`to ${max}`)]);
  });
});

describe("a secret", () => {
  const SECRETS = [
    ["RELAY_JWT_SECRET", "jwtSecret"],
    ["RELAY_SECRET", "secret"],
  ] as const;

  test.each(SECRETS)("%s is accepted where it is long enough", (variable, name) => {
    expect(configOf(readConfig({ [variable]: "s".repeat(32) }, []))[name]).toBe("s".repeat(32));
  });

  test.each(SECRETS)("%s that is too short is refused, and not printed", (variable) => {
    const [problem, ...others] = problemsOf(readConfig({ [variable]: "hunter2" }, []));
    expect(others).toEqual([]);
    expect(problem).toMatch(`Cannot start: ${variable} is wrong: expected at least 32 bytes, such as openssl`);
    expect(problem).not.toContain("hunter2");
  });
});

describe("RELAY_API_KEY", () => {
  const [KEY, NEXT_KEY] = ["k".repeat(32), "n/+=".padStart(32, "n")];

  test("holds several keys", () => {
    expect(
      configOf(readConfig({ RELAY_API_KEY: `${KEY},${NEXT_KEY.replace("/+=", "/+x=")}` }, [])).apiKeys,
    ).toHaveLength(2);
  });

  test.each([KEY.slice(1), `${KEY},hunter2`, `${KEY}, ${KEY}`, `${KEY} hunter2`])(
    "%j is refused, and not printed",
    (keys) => {
      const [problem, ...others] = problemsOf(readConfig({ RELAY_API_KEY: keys }, []));
      expect(others).toEqual([]);
      expect(problem).toMatch(
        "Cannot start: RELAY_API_KEY is wrong: expected one or more keys of at least 32 characters",
      );
      expect(problem).not.toMatch(/hunter2|kkk/);
    },
  );
});

test("the required audience and issuer of tokens may be any text", () => {
  const env = { RELAY_JWT_AUDIENCE: "relay", RELAY_JWT_ISSUER: "https://login.example" };
  const expected = { jwtAudience: "relay", jwtIssuer: "https://login.example" };
  expect(configOf(readConfig({ ...env, RELAY_JWT_SECRET: "s".repeat(32) }, []))).toMatchObject(expected);
  expect(configOf(readConfig({ ...env, RELAY_JWKS_URL: "https://a.example/keys" }, []))).toMatchObject(expected);
});

test("the audience and the issuer of tokens stop a relay that has no key, and would let everybody in", () => {
  expect(problemsOf(readConfig({ RELAY_JWT_AUDIENCE: "relay" }, ["--jwt-issuer=me"]))).toEqual([
    "Cannot start: RELAY_JWT_AUDIENCE needs RELAY_JWT_SECRET or RELAY_JWKS_URL, which check the token",
    "Cannot start: --jwt-issuer needs RELAY_JWT_SECRET or RELAY_JWKS_URL, which check the token",
  ]);
});

test("a burst without a rate is warned of", () => {
  const warningsOf = (args: string[]) => {
    const result = readConfig({}, args);
    return result.type === "config" ? result.warnings : result;
  };
  expect(warningsOf(["--rate-burst=50"])).toEqual(["--rate-burst does nothing without RELAY_RATE"]);
  expect(warningsOf(["--rate-burst=50", "--rate=30"])).toEqual([]);
});

describe("a command line that cannot be read", () => {
  test.each(["--nope", "--nope=1", "-x", "--relay-log"])("names the unknown flag %s", (flag) => {
    expect(problemsOf(readConfig({}, [flag]))).toEqual([`Cannot start: there is no flag ${flag}; see --help`]);
  });

  test("has the word after an unknown flag for the flag's value, and reports only the flag", () => {
    expect(problemsOf(readConfig({}, ["--heartbeet-ms", "3"]))).toEqual([
      "Cannot start: there is no flag --heartbeet-ms; see --help",
    ]);
  });

  test("names a stray argument", () => {
    expect(problemsOf(readConfig({}, ["8080"]))).toEqual(["Cannot start: there is no argument 8080; see --help"]);
  });

  test.each(SETTINGS)("names a missing value: %s has the flag %s", (_variable, flag) => {
    const [problem, ...others] = problemsOf(readConfig({}, [flag]));
    expect(others).toEqual([]);
    expect(problem).toMatch(/^Cannot start: /);
    expect(problem).toContain(flag);
  });
});

describe("the files of TLS", () => {
  test.each<[string, Readonly<Record<string, string>>]>([
    ["RELAY_TLS_CERT needs RELAY_TLS_KEY, its key", { RELAY_TLS_CERT: "/a" }],
    ["RELAY_TLS_KEY needs RELAY_TLS_CERT, its certificate", { RELAY_TLS_KEY: "/a" }],
    [
      "RELAY_SOCKET and RELAY_TLS_CERT exclude each other",
      { RELAY_TLS_KEY: "/a", RELAY_TLS_CERT: "/b", RELAY_SOCKET: "/c" },
    ],
  ])("are both set, for a port: %s", (problem, env) => {
    expect(problemsOf(readConfig(env, []))).toEqual([`Cannot start: ${problem}`]);
  });
});

describe("the paths of a relay", () => {
  test.each(["/", "relay", "/relay/", "//", "/a b", "/.", "/a/..", "/ä", "/a%20b", "/a?b"])("refuse %j", (basePath) => {
    expect(problemsOf(readConfig({ RELAY_BASE_PATH: basePath }, []))).toHaveLength(1);
  });

  test("refuse a Unix socket whose path is longer than Linux takes", () => {
    const path = (bytes: number) => `/${"x".repeat(bytes - 1)}`;
    expect(configOf(readConfig({ RELAY_SOCKET: path(107) }, [])).socket).toBe(path(107));
    expect(problemsOf(readConfig({ RELAY_SOCKET: path(108) }, []))).toHaveLength(1);
  });
});

describe("variables that the relay does not know", () => {
  test("cause a warning where they begin with RELAY_, and do not stop the start", () => {
    const env = { RELAY_ZZZ: "1", RELAY_HEARTBEAT: "1", RELAY_LOG: "info", HOME: "/", PATH: "" };
    const result = readConfig(env, []);
    expect(configOf(result)).toEqual(DEFAULTS);
    expect(result).toMatchObject({
      warnings: ["Not settings of the relay, and ignored: RELAY_HEARTBEAT, RELAY_ZZZ"],
    });
  });
});

test.each(["--version", "-V"])("%s asks for the version, whatever else is wrong", (flag) => {
  expect(readConfig({ PORT: "no" }, [flag, "--nonsense"])).toEqual({ type: "version" });
});

test.each(["-p 9000", "-p9000", "--port=9000"])("%s is the port", (flags) => {
  expect(configOf(readConfig({ PORT: "1" }, flags.split(" "))).port).toBe(9000);
});

describe.each(["--help", "-h"])("%s", (flag) => {
  test("lists each setting with its flag, its variable and its default, even where others are wrong", () => {
    const result = readConfig({ PORT: "x" }, ["--nope", flag]);
    if (result.type !== "help") throw new Error(`Expected help, got ${result.type}`);
    const text = result.text.replaceAll(/\s+/g, " ");
    for (const [variable, name] of SETTINGS) {
      expect(text).toContain(`${name} <`);
      expect(text).toMatch(new RegExp(`\\(${variable}, default [^)]+\\)`));
    }
    expect(text).toContain("(PORT, default 8080)");
  });
});
