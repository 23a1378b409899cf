import { isUtf8 } from "node:buffer";
import { FIN_CLOSE, FIN_PONG } from "./wire.ts";

/** Code that stands for a close frame without one (RFC 6455 §7.4.1). It is never sent. */
const NO_CODE = 1005;

const CODE_BYTES = 2;

/** Content of a close frame. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** Reads the payload of a close frame (RFC 6455 §5.5.1). @returns `undefined` if it breaks the protocol. */
export function readClosing(payload: Buffer): Closing | undefined {
  if (payload.length === 0) return { code: NO_CODE, reason: "" };
  if (payload.length < CODE_BYTES) return undefined;
  const code = payload.readUInt16BE();
  const reason = payload.subarray(CODE_BYTES);
  return mayBeSent(code) && isUtf8(reason) ? { code, reason: reason.toString() } : undefined;
}

/** Returns the bytes of a close frame, as a server sends it. */
export function closeFrame({ code, reason }: Closing): Buffer {
  if (code === NO_CODE) return Buffer.from([FIN_CLOSE, 0]);
  const reasonBytes = Buffer.from(reason);
  const head = [FIN_CLOSE, CODE_BYTES + reasonBytes.length, code >> 8, code & 0xff];
  return Buffer.concat([Buffer.from(head), reasonBytes]);
}

/** Returns the bytes of a pong, as a server sends it. */
export function pongFrame(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([FIN_PONG, payload.length]), payload]);
}

/** Whether a close frame may have the code (RFC 6455 §7.4, and the registry of its §11.7). */
function mayBeSent(code: number): boolean {
  const isReserved = code === 1004 || code === NO_CODE || code === 1006;
  return (code >= 1000 && code <= 1014 && !isReserved) || (code >= 3000 && code <= 4999);
}
