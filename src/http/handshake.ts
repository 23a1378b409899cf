import type { Refusal } from "./refusal.ts";
import type { UpgradeRequest } from "./upgrade-request.ts";

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Checks the client's opening handshake (RFC 6455 §4.2.1), in the same way on every runtime.
 *
 * @returns The refusal, or `undefined` for a request that can be upgraded.
 */
export function checkHandshake(request: Pick<UpgradeRequest, "method" | "header">): Refusal | undefined {
  if (request.method !== "GET") {
    return refusal(405, "method_not_allowed", `Cannot open a WebSocket with ${request.method}: use GET`, {
      Allow: "GET",
    });
  }
  if (request.header("upgrade")?.toLowerCase() !== "websocket" || !hasToken(request.header("connection"), "upgrade")) {
    return refusal(
      426,
      "upgrade_required",
      "Cannot answer a plain GET here: this address speaks WebSocket. If you did connect with a WebSocket, a proxy " +
        "on the way did not pass on the headers Upgrade and Connection; it must, and speak HTTP/1.1 to this server.",
      { Upgrade: "websocket", Connection: "Upgrade" },
    );
  }
  if (request.header("sec-websocket-version")?.trim() !== "13") {
    return refusal(426, "bad_handshake", "Cannot upgrade: Sec-WebSocket-Version must be 13", {
      "Sec-WebSocket-Version": "13",
    });
  }
  if (!KEY.test(request.header("sec-websocket-key") ?? "")) {
    return refusal(400, "bad_handshake", "Cannot upgrade: Sec-WebSocket-Key must be 16 bytes in base64");
  }
  const protocols = request.header("sec-websocket-protocol");
  if (protocols !== undefined && !protocols.split(",").every((name) => TOKEN.test(name.trim()))) {
    return refusal(
      400,
      "bad_handshake",
      "Cannot upgrade: Sec-WebSocket-Protocol must be names with commas between them",
    );
  }
  return undefined;
}

/** Returns whether the list in a header has the token, in upper or lower case. */
function hasToken(list: string | undefined, token: string): boolean {
  return list?.split(",").some((entry) => entry.trim().toLowerCase() === token) ?? false;
}

function refusal(
  status: 400 | 405 | 426,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  return { status, code, message, headers };
}
