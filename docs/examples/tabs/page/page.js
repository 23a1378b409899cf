import { connect } from "hono-relay/client";

const status = document.getElementById("status");
const form = document.getElementById("form");

// A room that the tabs of this browser know, and nobody else.
localStorage.room ??= crypto.randomUUID();

const relay = connect(new URL("/relay/ws", location.href));
const room = relay.room(localStorage.room);

/** What the form shows, and which change of all tabs' changes this is; of two that are equally late, `tie` decides. */
let state = { change: 0, tie: 0, fields: {} };

form.addEventListener("input", () => {
  state = { change: state.change + 1, tie: Math.random(), fields: Object.fromEntries(new FormData(form)) };
  publish();
});

// Every tab says what it has when it is connected, for the first time or again, and is told by who has a later state. So a
// new tab gets it, and so does a new relay, which knows nothing of what the last one forwarded.
relay.on("connected", async ({ id }) => {
  status.textContent = `connected as ${id}`;
  await room.join().catch(console.warn);
  await publish();
});
relay.on("disconnected", () => {
  status.textContent = "connection lost, trying again";
});

relay.on("message", ({ from, data }) => {
  if (isLater(data, state)) {
    state = data;
    show(state.fields);
  } else if (isLater(state, data)) {
    relay.send(from, state).catch(console.warn);
  }
});

function isLater(one, two) {
  return one.change > two.change || (one.change === two.change && one.tie > two.tie);
}

/** What is lost with a connection is published again by the next. */
async function publish() {
  await room.publish(state).catch(console.warn);
}

function show(fields) {
  for (const field of form.elements) {
    // Setting what is there already would move the cursor.
    if (field.value !== fields[field.name]) field.value = fields[field.name];
  }
}
