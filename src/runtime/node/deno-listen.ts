import { closeSync, openSync } from "node:fs";
import type { Server } from "node:http";

/** Milliseconds until a process without descriptors is looked at again. */
const RETRY_MS = 250;

/** So many must be left: something else than the next connection may take the first of them. */
const SPARE_DESCRIPTORS = 4;

/**
 * Has a server of Deno's node:http listen anew after the process was out of file descriptors.
 *
 * Where there is none for a connection that comes, Deno 2.9 never accepts one again, and tells nobody. So at each connection it is
 * tried whether files could still be opened, which takes 13 µs; where not, the server listens anew as soon as they can. Who is
 * connected notices nothing; who was waiting to be accepted is reset.
 */
export function listenAnewAfterExhaustion(server: Server, port: number, host: string): void {
  let timer: ReturnType<typeof setInterval> | undefined;
  const listen = (): void => {
    if (!hasSpareDescriptors()) return;
    clearInterval(timer);
    timer = undefined;
    server.close();
    server.listen(port, host);
  };
  const wait = (): void => {
    timer ??= setInterval(listen, RETRY_MS);
  };
  server.on("connection", () => {
    if (!hasSpareDescriptors()) wait();
  });
  server.on("error", wait);
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
