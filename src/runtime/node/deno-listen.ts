import { closeSync, openSync } from "node:fs";
import type { Server } from "node:http";
import type { ListenOptions } from "node:net";

/** Time between two checks for free file descriptors, in milliseconds. */
const RETRY_MS = 250;

/** Number of file descriptors that must be free. More than one, because other parts of the process may take some. */
const SPARE_DESCRIPTORS = 4;

/**
 * Has a server of Deno's node:http listen again after the process ran out of file descriptors.
 *
 * When Deno 2.9 has no file descriptor for a new connection, it never accepts another one, and reports nothing. So each
 * connection causes a check whether files can still be opened, which takes 13 µs. Where they cannot, the server listens
 * again as soon as they can. Open connections are not affected; connections that wait to be accepted are reset.
 *
 * @returns A function that ends this, for a server that is to stop listening.
 */
export function listenAgainAfterExhaustion(server: Server, options: ListenOptions): () => void {
  let timer: ReturnType<typeof setInterval> | undefined;
  const listenAgain = (): void => {
    if (!hasSpareDescriptors()) return;
    clearInterval(timer);
    timer = undefined;
    server.close();
    server.listen(options);
  };
  const startRetries = (): void => {
    timer ??= setInterval(listenAgain, RETRY_MS);
  };
  const onConnection = (): void => {
    if (!hasSpareDescriptors()) startRetries();
  };
  server.on("connection", onConnection);
  server.on("error", startRetries);
  return () => {
    clearInterval(timer);
    server.off("connection", onConnection);
    server.off("error", startRetries);
    server.on("error", () => {});
  };
}

function hasSpareDescriptors(): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < SPARE_DESCRIPTORS) opened.push(openSync("/dev/null", "r"));
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE"));
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}
