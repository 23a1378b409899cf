import { connect } from "node:net";

/** Connections at the same time: enough to keep the server busy, few enough for its queue. */
const AT_ONCE = 32;

/**
 * Opens a connection, writes the bytes and resets it as soon as the first of the answer is there; this many times.
 * A reset leaves no port of this machine waiting, as an orderly end would.
 */
export async function burst(port: number, bytes: string, times: number): Promise<void> {
  let left = times;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await askAndReset(port, bytes);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function askAndReset(port: number, bytes: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answered = false;
    socket.on("error", () => {});
    socket.once("connect", () => socket.write(bytes));
    socket.once("data", () => {
      answered = true;
      socket.resetAndDestroy();
    });
    socket.once("close", () => (answered ? resolve() : reject(new Error("A connection ended without an answer"))));
  });
}
