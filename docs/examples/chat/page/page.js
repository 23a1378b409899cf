import { connect } from "hono-relay/client";

const [enter, chat, title, status, members, log, say] = [
  "enter",
  "chat",
  "title",
  "status",
  "members",
  "log",
  "say",
].map((id) => document.getElementById(id));

// The first form's answers, which are in the page's address.
const address = new URLSearchParams(location.search);
if (address.has("name")) talk(address.get("name"), address.get("room") ?? "lobby");

function talk(name, roomName) {
  enter.hidden = true;
  chat.hidden = false;
  title.textContent = document.title = `#${roomName}`;

  const url = new URL("/relay/ws", location.href);
  url.searchParams.set("name", name);
  const relay = connect(url);
  const room = relay.room(roomName);
  /** Who is in the room, and whether they have a connection now. */
  const isOnline = new Map();

  relay.on("connected", async () => {
    status.textContent = `connected as ${relay.id}`;
    try {
      await room.join();
      const ids = await room.members();
      isOnline.clear();
      for (const id of ids) isOnline.set(id, true);
      showMembers(isOnline);
    } catch (error) {
      status.textContent = error.message;
    }
  });
  relay.on("disconnected", () => {
    status.textContent = "connection lost, trying again";
  });
  relay.on("closed", ({ reason }) => {
    status.textContent = `closed: ${reason}`;
  });

  room.on("message", ({ from, data }) => show(from, String(data)));
  room.on("presence", ({ id, event }) => {
    if (event === "left") isOnline.delete(id);
    else isOnline.set(id, event !== "offline");
    showMembers(isOnline);
    show(undefined, `${id} ${event === "joined" || event === "left" ? event : `is ${event}`}`);
  });

  say.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = say.elements.text.value;
    say.reset();
    try {
      // With echo the sender hears it too: everybody sees all messages, and in one order.
      await room.publish(text, { echo: true });
    } catch (error) {
      show(undefined, `not sent: ${text} (${error.message})`);
    }
  });
}

function showMembers(isOnline) {
  members.replaceChildren(
    ...Array.from(isOnline, ([id, online]) => {
      const item = document.createElement("li");
      item.textContent = id;
      item.classList.toggle("offline", !online);
      return item;
    }),
  );
}

/** Adds a line to the log: what somebody said, or, from nobody, a note. */
function show(from, text) {
  const line = document.createElement("li");
  if (from === undefined) {
    line.className = "note";
    line.textContent = text;
  } else {
    const who = document.createElement("b");
    who.textContent = from;
    line.append(who, `: ${text}`);
  }
  log.append(line);
  line.scrollIntoView();
}
