import { fileURLToPath } from "node:url";

/** The repository, without a slash at its end. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** The servers that the relay is compared with. */
export const PEERS = `${ROOT}/scripts/bench/peers`;
/** Where the logs of the servers go. */
export const LOGS = `${ROOT}/.bench`;
