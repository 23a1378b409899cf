import { connect } from "hono-relay/client";
import { startCall } from "./call.js";

const [status, link, log, say] = ["status", "link", "log", "say"].map((id) => document.getElementById(id));
const [fields] = say.elements;

// Who has this address is in the room.
if (location.hash === "") location.hash = crypto.randomUUID();
link.href = link.textContent = location.href;

const relay = connect(new URL("/relay/ws", location.href));
const room = relay.room(location.hash.slice(1));
/** The call, and the id of who is at the other end. */
let call;
let other;

relay.on("connected", ({ resumed }) => {
  // A relay that does not know us gives everybody another id.
  if (!resumed) hangUp();
  look().catch(report);
});
room.on("presence", ({ id, event }) => {
  if (event !== "joined" && event !== "left") return;
  if (event === "left" && id === other) hangUp();
  look().catch(report);
});

/** Meets who is in the room, unless there is a call already. */
async function look() {
  await room.join();
  const others = await otherMembers();
  if (call !== undefined) return;
  if (others.length === 1) meet(others[0]);
  else status.textContent = others.length === 0 ? "waiting for the other" : "two are here already";
}

async function otherMembers() {
  const ids = await room.members();
  return ids.filter((id) => id !== relay.id);
}

function meet(id) {
  if (id === other) return;
  hangUp();
  other = id;
  status.textContent = "connecting to the other";
  call = startCall({
    // Each side compares the same two ids, so that one of them is polite.
    isPolite: relay.id < id,
    signal: (data) => relay.send(id, data).catch(console.warn),
  });
  const { channel } = call;
  channel.onopen = () => {
    status.textContent = "connected to the other";
    fields.disabled = false;
  };
  channel.onclose = () => {
    if (channel === call?.channel) hangUp();
  };
  channel.onmessage = ({ data }) => show("the other", data);
}

function hangUp() {
  call?.close();
  call = other = undefined;
  fields.disabled = true;
  status.textContent = "waiting for the other";
}

say.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = say.elements.text.value;
  call.channel.send(text);
  show("you", text);
  say.reset();
});

function show(from, text) {
  const line = document.createElement("li");
  const who = document.createElement("b");
  who.textContent = from;
  line.append(who, `: ${text}`);
  log.append(line);
}

function report(error) {
  status.textContent = error.message;
}

async function receive({ from, data }) {
  // A stranger who knows an id can send to it too.
  if (from !== other && (await otherMembers()).includes(from)) meet(from);
  if (from === other) await call.receive(data);
}

// One signal after the other: each may have to wait for what the browser makes of it.
for await (const message of relay) await receive(message).catch(console.warn);
