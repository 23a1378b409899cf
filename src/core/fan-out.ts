import type { Frame } from "./protocol/frame.ts";
import type { Message } from "./protocol/message.ts";
import type { Protocol } from "./protocol/protocol.ts";
import type { Session } from "./session/session.ts";

/**
 * Delivers a message to the members of a room. It is encoded once for each protocol.
 *
 * @param from Id of the sender; `undefined` if the server sends it.
 * @returns The number of members that got the message, or keep it in their mailbox.
 */
export function fanOut(
  members: ReadonlySet<Session>,
  from: string | undefined,
  room: string,
  message: Message,
  isExcluded: (member: Session) => boolean,
): number {
  const bodies = new Map<Protocol, Frame>();
  let recipients = 0;
  for (const member of members) {
    if (isExcluded(member)) continue;
    const { protocol } = member;
    let body = bodies.get(protocol);
    if (body === undefined) {
      body = protocol.encodeMessage(from, room, message);
      if (members.size > 2) body.share();
      bodies.set(protocol, body);
    }
    if (typeof member.deliver(body) === "string") recipients++;
    else member.countLoss();
  }
  return recipients;
}
