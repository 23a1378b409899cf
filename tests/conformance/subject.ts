import { afterAll, afterEach, beforeAll, onTestFinished } from "vitest";
import "./matchers.ts";
import { Process, type StartOptions } from "./process.ts";
import type { Program, Runtime } from "./runtimes.ts";
import { type Server, startServer } from "./server.ts";

/**
 * One server for all the tests of a `describe`. A test during which it ends has failed.
 *
 * @returns Gives the server to a test.
 */
export function sharedServer(runtime: Runtime, options: StartOptions = {}): () => Server {
  return shared(async () => {
    const server = await startServer(runtime, options);
    await server.openRegistrar();
    return server;
  });
}

/** One process of the app (apps/) in which the relay is mounted, for all the tests of a `describe`, as `sharedServer`. */
export function sharedApp(runtime: Runtime, options: StartOptions = {}): () => Server {
  return sharedProgram(runtime.app, options);
}

/** One process of a program, for all the tests of a `describe`, as `sharedServer`. */
export function sharedProgram(program: Program, options: StartOptions = {}): () => Server {
  return shared(() => startServer(program, options));
}

function shared(start: () => Promise<Server>): () => Server {
  let server: Server | undefined;
  const started = (): Server => {
    if (server === undefined) throw new Error("The server is there only while a test runs");
    return server;
  };
  beforeAll(async () => {
    server = await start();
  });
  afterEach(() => started().process.expectAlive());
  afterAll(() => server?.process.kill());
  return started;
}

/** A server for this test alone; its end is the test's own business. */
export async function ownServer(program: Program, options: StartOptions = {}): Promise<Server> {
  const server = await startServer(program, options);
  onTestFinished(() => server.process.kill());
  return server;
}

/** A process of the relay that is not expected to serve. */
export function ownProcess(runtime: Runtime, options: StartOptions): Process {
  const started = new Process(runtime, options);
  onTestFinished(() => started.kill());
  return started;
}
