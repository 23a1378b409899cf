/**
 * Prints the CPU time, in nanoseconds a byte, of decoding a frame and encoding its message for every protocol. The
 * frames are the most expensive ones known of each kind. Runs with `node --import tsx`, `bun` and `deno run`.
 */
import process from "node:process";
import { Frame } from "../../src/core/protocol/frame.ts";
import { json } from "../../src/core/protocol/json.ts";
import { plain } from "../../src/core/protocol/plain.ts";
import type { Protocol } from "../../src/core/protocol/protocol.ts";
import { text } from "../../src/core/protocol/text.ts";

const BYTES = 1_048_576;
const ROUNDS = 25;

const utf8 = new TextEncoder();

/** Returns a frame of 1 MiB: the unit repeated between the two other texts. */
function fill(unit: string, before = "", after = ""): string {
  return before + unit.repeat(Math.floor((BYTES - before.length - after.length) / utf8.encode(unit).length)) + after;
}

function sendOf(unit: string, before: string, after: string): string {
  return fill(unit, `{"type":"send","to":"7","data":${before}`, `${after}}`);
}

/** Frames of each kind, with the sender's protocol. */
const FRAMES: readonly (readonly [name: string, from: Protocol, frame: string, binary: boolean])[] = [
  ["plain, ASCII", plain, fill("x", "7:"), false],
  ["plain, other text", plain, fill("您", "7:"), false],
  ["plain, bytes", plain, fill("x", "7:"), true],
  ["plain, control characters", plain, fill("\u001b", "7:"), false],
  ["plain, line breaks", plain, fill("\n", "7:"), false],
  ["text, a command and spaces", text, fill(" ", ":join lobby"), false],
  ["text, a command and words", text, fill("a ", ":join "), false],
  ["JSON, ASCII", json, sendOf("x", '"', '"'), false],
  ["JSON, escaped text", json, sendOf("\\u0001", '"', '"'), false],
  ["JSON, base64", json, fill("AAAA", '{"type":"send","to":"7","data":"', '","encoding":"base64"}'), false],
  ["JSON, empty arrays", json, sendOf("[],", "[", "0]"), false],
  ["JSON, empty objects", json, sendOf("{},", "[", "0]"), false],
  ["JSON, numbers as names", json, sendOf('{"999":0},', "[", "0]"), false],
  ["JSON, digits", json, sendOf("1,", "[", "0]"), false],
  ["JSON, exponents", json, sendOf("1e308,", "[", "0]"), false],
  ["JSON, other names", json, sendOf('"name":0,', "{", '"z":0}'), false],
  ["JSON, nested too deep", json, sendOf("[", "", ""), false],
  ["JSON, unknown fields", json, fill('"x":0,', "{", '"type":"ping"}'), false],
  ["JSON, a room name of 1 MiB", json, fill("x", '{"type":"join","room":"', '"}'), false],
];

const RECEIVERS = { plain, text, json };

function relay(from: Protocol, frame: Frame): void {
  const command = from.decode(frame);
  if (command.type !== "send") return;
  for (const receiver of Object.values(RECEIVERS)) receiver.encodeMessage("3", undefined, command.message);
}

for (const [name, from, content, binary] of FRAMES) {
  const bytes = utf8.encode(content);
  const [asText, asBytes] = [new Frame(content, binary), new Frame(bytes, binary)];
  const best = [asText, asBytes].map((frame) => {
    // A binary frame can't be a string.
    if (binary && frame === asText) return Number.NaN;
    const times = Array.from({ length: ROUNDS }, () => {
      const before = process.cpuUsage();
      relay(from, frame);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    });
    return (Math.min(...times) * 1000) / bytes.length;
  });
  const shown = best.map((cost) => (Number.isNaN(cost) ? "-" : cost.toFixed(1)).padStart(6));
  console.log(`${name.padEnd(34)} as a string ${shown[0]} as bytes ${shown[1]} ns a byte`);
}
