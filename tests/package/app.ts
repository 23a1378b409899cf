import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { expect } from "vitest";
import { openClient } from "../conformance/client.ts";
import { ROOT } from "../conformance/runtimes.ts";
import { within } from "../conformance/wait.ts";
import type { Registry } from "./registry.ts";

const run = promisify(execFile);

/** Names of the package's exports, as an app imports them. */
const EXPORTS = [
  "hono-relay",
  "hono-relay/client",
  "hono-relay/admin",
  "hono-relay/metrics",
  "hono-relay/node",
  "hono-relay/bun",
  "hono-relay/deno",
];

/** Where the package manager of one app finds packages, and keeps them. */
export interface AppOptions {
  readonly dependencies?: Readonly<Record<string, string>>;
  /** Contents of the app's `.npmrc`, beside the registry. */
  readonly npmrc?: string;
}

/** Somebody's app in a folder of its own, with a package manager that finds `hono-relay` in the registry. */
export class App {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #children = new Set<ChildProcess>();

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.#env = env;
  }

  static async create(registry: Registry, { dependencies = {}, npmrc = "" }: AppOptions = {}): Promise<App> {
    const folder = await mkdtemp(join(tmpdir(), "hono-relay-app-"));
    const manifest = { name: "somebody-elses", private: true, type: "module", dependencies };
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
    await writeFile(join(folder, ".npmrc"), `registry=${registry.url}\n${npmrc}\n`);
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|RELAY_|HOST$|PORT$|NODE_(ENV|OPTIONS|PATH)$|VITEST)/i.test(name),
    );
    return new App(folder, { ...Object.fromEntries(kept), NPM_CONFIG_REGISTRY: registry.url });
  }

  /** Runs a command to its end. @throws {Error} When it fails, with what it wrote. */
  async run(command: string, ...args: string[]): Promise<string> {
    const child = run(command, args, { cwd: this.folder, env: this.#env });
    const { stdout } = await child.catch((error: { stdout: string; stderr: string }) => {
      throw new Error(`${command} ${args.join(" ")} failed:\n${error.stdout}\n${error.stderr}`);
    });
    return stdout;
  }

  /** Checks that the relay that the command starts forwards a message, and ends with 0 on SIGTERM. */
  async relays(command: string, args: readonly string[], path = "/ws"): Promise<void> {
    const child = spawn(command, args, { cwd: this.folder, env: this.#env, stdio: ["ignore", "pipe", "pipe"] });
    this.#children.add(child);
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const lines = createInterface(child.stdout);
    const ended = once(child, "exit").then(() => {
      throw new Error(`${command} ${args.join(" ")} ended:\n${stderr}`);
    });
    const [line] = (await within(
      Promise.race([once(lines, "line"), ended]),
      "the relay to listen",
      60_000,
    )) as string[];
    const address = `${String(line).replace("listening on http", "ws")}${path}`;
    const one = await openClient(address, []);
    const two = await openClient(address, []);
    one.send("2:hello");
    await expect(two.next()).resolves.toBe("hello");
    two.send("1:hello yourself");
    await expect(one.next()).resolves.toBe("hello yourself");
    const exit = once(child, "exit");
    ended.catch(() => {});
    child.kill("SIGTERM");
    await within(exit, "the relay to end");
  }

  /** Checks that every export of the package can be imported. What needs Bun or Deno needs it when it is called. */
  async imports(command: string, ...args: string[]): Promise<void> {
    const script = EXPORTS.map((name) => `console.log(Object.keys(await import("${name}")).length > 0);`).join("\n");
    await writeFile(join(this.folder, "imports.mjs"), script);
    const output = await this.run(command, ...args, "imports.mjs");
    expect(output.trim().split("\n")).toEqual(EXPORTS.map(() => "true"));
  }

  /** Checks that README's example compiles against what is installed. The command is given the file. */
  async compilesExample(command: string = process.execPath, args: readonly string[] = TSC): Promise<void> {
    const types = "declare function userOf(request: Request): string;\n";
    await writeFile(join(this.folder, "example.ts"), `${await readExample()}${types}`);
    await this.run(command, ...args, "example.ts");
  }

  /** Checks that README's example relays. */
  async runsExample(command: string, ...args: string[]): Promise<void> {
    const example = await readExample();
    expect(example).toContain("port: 3000");
    const rest = `
let users = 0;
function userOf() { return String(++users); }
server.on("listening", () => console.log(\`listening on http://127.0.0.1:\${server.address().port}\`));
`;
    await writeFile(join(this.folder, "example.mjs"), `${example.replace("port: 3000", "port: 0")}${rest}`);
    await this.relays(command, [...args, "example.mjs"], "/relay/ws");
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }
}

const TSC = [
  join(ROOT, "node_modules/typescript/bin/tsc"),
  ...["--ignoreConfig", "--noEmit", "--strict"],
  ...["--target", "es2023", "--module", "nodenext"],
  ...["--typeRoots", join(ROOT, "node_modules/@types"), "--types", "node"],
];

/** README's example of a relay in somebody's app on Node. */
async function readExample(): Promise<string> {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const [, example] = /```ts\n([^`]+hono-relay\/node[^`]+)```/.exec(readme) ?? [];
  if (example === undefined) throw new Error("README has no example of hono-relay/node");
  return example;
}
