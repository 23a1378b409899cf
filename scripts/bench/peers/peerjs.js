import { PeerServer } from "peer";

PeerServer(
  {
    host: "127.0.0.1",
    port: Number(process.env.PORT),
    path: "/",
    // Drops a dead client after 15 s, as the relay does; the default is 90 s.
    alive_timeout: 15_000,
    // The default is 5,000.
    concurrent_limit: 20_000,
    // Messages wait for an absent client as long as at the relay, where the load says for how long.
    expire_timeout: Number(process.env.RELAY_RESUME_MS ?? 5000),
  },
  (server) => {
    console.log(`listening on http://127.0.0.1:${server.address().port}`);
  },
);
