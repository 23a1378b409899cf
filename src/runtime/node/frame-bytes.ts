import type { Envelope } from "../../core/protocol/envelope.ts";
import type { Frame, SharedBytes } from "../../core/protocol/frame.ts";
import { FIN_BINARY, FIN_TEXT } from "./wire.ts";

const MAX_HEADER_BYTES = 10;
/** Digits of the largest whole number, 2^53 - 1. */
const MAX_DIGITS = 16;
const DIGIT_0 = 0x30;

/** Payload from which on a write of its own costs less than a copy, in bytes. */
const LARGE_BYTES = 65_536;

/**
 * Returns an upper bound of the frame's length on the wire, in bytes, without a look at its text: three bytes for each
 * UTF-16 unit.
 */
export function maxWireBytes({ size, payload }: Frame): number {
  return MAX_HEADER_BYTES + MAX_DIGITS + size + (typeof payload === "string" ? payload.length * 2 : 0);
}

/** Returns the frame's length on the wire, in bytes. */
export function wireBytes(frame: Frame): number {
  const length = contentBytes(frame);
  return headerBytes(length) + length;
}

/** Writes the frames one after the other, unmasked (RFC 6455 §5.2). @returns The part of `target` that they take. */
export function writeFrames(target: Buffer, start: number, frames: readonly Frame[]): Buffer {
  let at = start;
  for (const frame of frames) at = writeFrame(target, at, frame);
  return target.subarray(start, at);
}

/**
 * Returns the bytes of a payload that is large, and is bytes already or goes to several receivers; otherwise
 * `undefined`.
 */
export function largePayload({ payload, shared }: Frame): Uint8Array | undefined {
  if (payload.length < LARGE_BYTES) return undefined;
  if (typeof payload !== "string") return payload;
  return shared === undefined ? undefined : sharedBytesOf(shared, payload);
}

/** Returns the frame up to its payload: its header, and what its envelope puts before the payload. */
export function writeHead(frame: Frame, payloadBytes: number): Buffer {
  const { envelope, address, number } = frame;
  const length = payloadBytes + (envelope === undefined ? 0 : envelope.size + address.length + digitsOf(number));
  const target = Buffer.allocUnsafeSlow(MAX_HEADER_BYTES + length - payloadBytes);
  writeHeader(target, 0, frame.binary ? FIN_BINARY : FIN_TEXT, length);
  const end = writeBeforePayload(target, headerBytes(length), frame);
  return target.subarray(0, end);
}

/** Returns what the frame's envelope puts behind the payload; `undefined` without an envelope. */
export function writeTail(frame: Frame): Buffer | undefined {
  if (frame.envelope === undefined || frame.binary) return undefined;
  const target = Buffer.allocUnsafeSlow(frame.envelope.size + MAX_DIGITS);
  return target.subarray(0, writeAfterPayload(target, 0, frame));
}

function contentBytes(frame: Frame): number {
  const { payload, envelope, address, number } = frame;
  const bytes = typeof payload === "string" ? textBytes(frame, payload) : payload.length;
  return envelope === undefined ? bytes : bytes + envelope.size + address.length + digitsOf(number);
}

function textBytes({ shared }: Frame, text: string): number {
  return shared === undefined ? Buffer.byteLength(text) : sharedBytesOf(shared, text).length;
}

/** Returns the bytes of a text that goes to more than one receiver. They are made once. */
function sharedBytesOf(shared: SharedBytes, text: string): Uint8Array {
  shared.bytes ??= Buffer.from(text);
  return shared.bytes;
}

function headerBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

/** Writes the frame at `at`. @returns The position after the frame. */
function writeFrame(target: Buffer, at: number, frame: Frame): number {
  // The content is written before its header: the length of a text in bytes is known only then, and computing it first
  // costs as much as writing the text. Nearly all texts are ASCII, so that the expected header has the right length.
  const expectedHeader = headerBytes(frame.size);
  const start = at + expectedHeader;
  const length = writeContent(target, start, frame) - start;
  const header = headerBytes(length);
  if (header !== expectedHeader) target.copyWithin(at + header, start, start + length);
  writeHeader(target, at, frame.binary ? FIN_BINARY : FIN_TEXT, length);
  return at + header + length;
}

function writeHeader(target: Buffer, at: number, firstByte: number, length: number): void {
  target[at] = firstByte;
  if (length < 126) {
    target[at + 1] = length;
  } else if (length < 65_536) {
    target[at + 1] = 126;
    target.writeUInt16BE(length, at + 2);
  } else {
    target[at + 1] = 127;
    target.writeUInt32BE(0, at + 2);
    target.writeUInt32BE(length, at + 6);
  }
}

function writeContent(target: Buffer, start: number, frame: Frame): number {
  if (frame.envelope === undefined) return writePayload(target, start, frame);
  const at = writePayload(target, writeBeforePayload(target, start, frame), frame);
  return writeAfterPayload(target, at, frame);
}

function writeBeforePayload(target: Buffer, start: number, frame: Frame): number {
  const { envelope, address } = frame;
  if (envelope === undefined) return start;
  let at = writeFixedText(target, start, envelope.start.bytes);
  at = writeAscii(target, at, address);
  if (frame.binary) return writeNumberAndEnd(target, at, envelope, frame.number);
  return writeFixedText(target, at, envelope.beforePayload.bytes);
}

function writeAfterPayload(target: Buffer, start: number, { envelope, number, binary }: Frame): number {
  return envelope === undefined || binary ? start : writeNumberAndEnd(target, start, envelope, number);
}

function writeNumberAndEnd(target: Buffer, start: number, envelope: Envelope, number: number): number {
  let at = writeFixedText(target, start, envelope.beforeNumber.bytes);
  at = writeNumber(target, at, number);
  return writeFixedText(target, at, envelope.end.bytes);
}

function writePayload(target: Buffer, at: number, { payload, shared }: Frame): number {
  if (payload.length === 0) return at;
  if (typeof payload !== "string") return writeBytes(target, at, payload);
  return shared === undefined ? at + target.write(payload, at) : writeBytes(target, at, sharedBytesOf(shared, payload));
}

function writeBytes(target: Buffer, at: number, bytes: Uint8Array): number {
  target.set(bytes, at);
  return at + bytes.length;
}

/** Writes the short fixed text of an envelope byte by byte, which is faster than a call into the runtime. */
function writeFixedText(target: Buffer, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i] ?? 0;
  return at + bytes.length;
}

function writeAscii(target: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}

function writeNumber(target: Buffer, at: number, number: number): number {
  const end = at + digitsOf(number);
  let left = number;
  for (let place = end - 1; place >= at; place--) {
    const tenth = Math.floor(left / 10);
    target[place] = DIGIT_0 + (left - tenth * 10);
    left = tenth;
  }
  return end;
}

function digitsOf(number: number): number {
  let digits = 1;
  for (let power = 10; power <= number; power *= 10) digits++;
  return digits;
}
