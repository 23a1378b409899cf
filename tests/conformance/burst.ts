import { connect } from "node:net";

/** Concurrent connections: enough to keep the server busy, few enough for its accept queue. */
const CONCURRENT = 32;

/**
 * Opens this many connections. Each writes the bytes and is reset as soon as the server answers.
 * An orderly close would leave a local port in TIME_WAIT; a reset doesn't.
 */
export async function burst(port: number, bytes: string, times: number): Promise<void> {
  let timesLeft = times;
  const worker = async (): Promise<void> => {
    while (timesLeft-- > 0) await connectAndReset(port, bytes);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
}

function connectAndReset(port: number, bytes: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answered = false;
    socket.on("error", () => {});
    socket.once("connect", () => socket.write(bytes));
    socket.once("data", () => {
      answered = true;
      socket.resetAndDestroy();
    });
    socket.once("close", () =>
      answered ? resolve() : reject(new Error("The server closed a connection without an answer")),
    );
  });
}
