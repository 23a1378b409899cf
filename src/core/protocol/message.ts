import type { Payload } from "./frame.ts";

/** A message that a client sent to an id or a room, independent of the protocol that encoded it. */
export class Message {
  readonly payload: Payload;
  /** `text`: any text. `json`: the text of a JSON value that is not a string. `bytes`: binary data. */
  readonly kind: "text" | "json" | "bytes";
  readonly #isUnescaped: boolean;

  /** @param isUnescaped Whether the payload is known to be a string that JSON does not escape. */
  constructor(payload: Payload, kind: Message["kind"], isUnescaped = false) {
    this.payload = payload;
    this.kind = kind;
    this.#isUnescaped = isUnescaped;
  }

  /** Whether the payload is known to be a string that JSON does not escape. */
  get isUnescaped(): boolean {
    return this.#isUnescaped;
  }
}
