import { fileURLToPath } from "node:url";

/** Root of the repository, without a slash at its end. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** Folder of the servers that the relay is compared with. */
export const PEERS = `${ROOT}/scripts/bench/peers`;
/** Folder of the servers' and generators' logs. */
export const LOGS = `${ROOT}/.bench`;
