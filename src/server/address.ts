import { existsSync, statSync, unlinkSync } from "node:fs";
import { connect } from "node:net";

/** Where the relay listens: a host and a port, a Unix socket, or a socket that systemd has opened for it. */
export type ListenAddress =
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | { readonly type: "unix"; readonly path: string }
  | { readonly type: "inherited"; readonly fd: number };

/** First file descriptor that systemd passes (`man sd_listen_fds`). */
const FIRST_FD = 3;

export interface AddressSettings {
  readonly host: string;
  readonly port: number;
  /** Path of a Unix socket; `undefined` for none. */
  readonly socket: string | undefined;
}

/**
 * Returns where to listen. A socket that systemd has passed to this very process comes first, then a Unix socket.
 *
 * @throws {RangeError} When systemd has passed several sockets.
 */
export function chooseAddress(
  { host, port, socket }: AddressSettings,
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): ListenAddress {
  // systemd names the process, so that its children do not take the sockets for theirs.
  const sockets = env.LISTEN_PID === String(pid) ? Number(env.LISTEN_FDS ?? 0) : 0;
  if (sockets > 1) throw new RangeError(`systemd has passed ${sockets} sockets, expected one`);
  if (sockets === 1) return { type: "inherited", fd: FIRST_FD };
  return socket === undefined ? { type: "tcp", host, port } : { type: "unix", path: socket };
}

/** Returns the address as a person writes it. */
export function printAddress(address: ListenAddress): string {
  if (address.type === "unix") return `unix:${address.path}`;
  if (address.type === "inherited") return `the socket of systemd (file descriptor ${address.fd})`;
  const { host, port } = address;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Removes the file of a Unix socket that nobody listens on: a process that was killed leaves its file, and the next one
 * could not listen. A file that is no such socket stays.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.on("error", resolve);
  });
  // A file that is no socket refuses connections too.
  if (error?.code === "ECONNREFUSED" && statSync(path).isSocket()) unlinkSync(path);
}
