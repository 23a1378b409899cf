import type { Payload } from "./frame.ts";

/** What somebody sent to an id or a room, whichever protocol spelled it. */
export class Message {
  readonly payload: Payload;
  /** `text`: a text, whatever it says. `json`: text that is a JSON value other than a string. `bytes`: anything. */
  readonly kind: "text" | "json" | "bytes";

  constructor(payload: Payload, kind: Message["kind"]) {
    this.payload = payload;
    this.kind = kind;
  }
}
