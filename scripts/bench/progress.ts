/** Says what is going on, in one line of a terminal that the next replaces. Says nothing where stderr is not a terminal. */
export function say(what: string): void {
  if (process.stderr.isTTY === true) process.stderr.write(`\r\u001b[K${what}`);
}
