import type { SendError } from "../errors.ts";
import type { Frame } from "../frame.ts";

/** What a client asks of the relay with one frame. */
export type Command =
  | { readonly type: "send"; readonly to: string; readonly message: Frame }
  | { readonly type: "refused"; readonly error: SendError };

/** What the relay tells a client. */
export type RelayEvent =
  | { readonly type: "message"; readonly from: string; readonly message: Frame }
  | { readonly type: "error"; readonly error: SendError };

/** How frames spell messages. Pure: the same frame always reads the same, and no input makes it throw. */
export interface Protocol {
  decode(frame: Frame): Command;
  encode(event: RelayEvent): Frame;
}
