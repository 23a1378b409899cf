/** Shows the progress in one line of the terminal, in place of the last. Writes nothing where stderr is no terminal. */
export function say(progress: string): void {
  if (process.stderr.isTTY === true) process.stderr.write(`\r\u001b[K${progress}`);
}
