import { afterAll, afterEach, beforeAll, onTestFinished } from "vitest";
import "./matchers.ts";
import { Process, type StartOptions } from "./process.ts";
import type { Program, Runtime } from "./runtimes.ts";
import { type Server, startServer } from "./server.ts";

/**
 * Starts one server for all tests of a `describe`. A test fails when the server ends during it.
 *
 * @returns A function that returns the server, for use in a test.
 */
export function sharedServer(runtime: Runtime, options: StartOptions = {}): () => Server {
  return shared(async () => {
    const server = await startServer(runtime, options);
    await server.openRegistrar();
    return server;
  });
}

/** Starts the app that mounts the relay (apps/), as `sharedServer` does. */
export function sharedApp(runtime: Runtime, options: StartOptions = {}): () => Server {
  return sharedProgram(runtime.app, options);
}

/** Starts a program, as `sharedServer` does. */
export function sharedProgram(program: Program, options: StartOptions = {}): () => Server {
  return shared(() => startServer(program, options));
}

function shared(start: () => Promise<Server>): () => Server {
  let server: Server | undefined;
  const current = (): Server => {
    if (server === undefined) throw new Error("Cannot use the server outside of a test");
    return server;
  };
  beforeAll(async () => {
    server = await start();
  });
  afterEach(() => current().process.expectAlive());
  afterAll(() => server?.process.kill());
  return current;
}

/** Starts a server for one test, which may end it. */
export async function ownServer(program: Program, options: StartOptions = {}): Promise<Server> {
  const server = await startServer(program, options);
  onTestFinished(() => server.process.kill());
  return server;
}

/** Starts a process of the relay for one test, and doesn't wait until it listens. */
export function ownProcess(runtime: Runtime, options: StartOptions): Process {
  const started = new Process(runtime, options);
  onTestFinished(() => started.kill());
  return started;
}
