import { Pacer, sleep } from "../generator/pace.ts";
import type { Figures } from "../round.ts";
import { percentile } from "../statistics.ts";
import { CONCURRENT } from "./connect.ts";
import type { Load } from "./load.ts";

const RETURNING = 10_000;
const PACED = 100;
/** A load that each of these servers carries with ease. */
const PACED_PER_SECOND = 1000;
/** Messages that wait for each client that comes back. */
const MAIL = 2;
const MESSAGE = "x".repeat(64);
const WARM_UP_SECONDS = 1;
/** A server that has not welcomed all by then is too slow; the figures are of those that it has welcomed. */
const LIMIT_MS = 60_000;
/** Mail that has not arrived this long after the latest one is lost. */
const LOST_AFTER_MS = 2000;

/**
 * Measures what happens when the connections of 10,000 clients were lost and all of them come back at once.
 *
 * Each client had a session, shows its resume token, and finds mail from a client that stayed. 100 other clients stay
 * too, and go on exchanging messages at a fixed rate. A server without sessions only welcomes the clients.
 */
export const storm: Load = {
  name: "storm",
  title: `10,000 clients that come back, ${CONCURRENT} at a time, to ${MAIL} messages each; 100 exchange 1,000 messages/s`,
  columns: [
    { figure: "welcomedSeconds", title: "all welcomed s", digits: 2, compared: true },
    { figure: "mailSeconds", title: "all mail s", digits: 2 },
    { figure: "resumed", title: "resumed" },
    { figure: "missingMail", title: "missing mail" },
    { figure: "serverCpuUs", title: "CPU µs/client", digits: 0, compared: true },
    { figure: "serverBusy", title: "server busy %" },
    { figure: "generatorBusy", title: "generator busy %" },
    { figure: "p50Before", title: "p50 ms before", digits: 2 },
    { figure: "p99Before", title: "p99 before", digits: 2 },
    { figure: "p999Before", title: "p99.9 before", digits: 2 },
    { figure: "p50During", title: "p50 during", digits: 2 },
    { figure: "p99During", title: "p99 during", digits: 1, compared: true },
    { figure: "p999During", title: "p99.9 during", digits: 1 },
    { figure: "delay99", title: "generator's own p99 ms", digits: 2 },
    { figure: "othersBusy", title: "others %" },
    { figure: "rssMib", title: "RSS MiB" },
  ],
  maxRounds: 3,
  freshServer: true,
  needsFiles: true,
  // Resuming takes relay.v1.json.
  dialects: { plain: "json", bare: "bare", "socket.io": "socket.io-recovering", peerjs: "peerjs" },
  // The peers read this setting too. A slow server may need longer than the default of 30 s.
  settings: { RELAY_RESUME_MS: "120000" },
  async prepare(crowd) {
    const clients = await crowd.open(PACED + 1 + RETURNING);
    const pacer = new Pacer(clients.slice(0, PACED), MESSAGE.length, crowd.activity);
    const [postman, ...leaving] = clients.slice(PACED);
    if (postman === undefined) throw new Error("Cannot run the load: no client was opened");
    return {
      async round({ seconds }) {
        const returning = crowd.drop(leaving);
        await crowd.untilQuiet();
        const expectedMail = crowd.keepsMail ? RETURNING * MAIL : 0;
        if (expectedMail > 0) {
          for (let i = 0; i < MAIL; i++) for (const { index } of returning) postman.post(index, MESSAGE);
          await crowd.check(postman);
        }
        await pacer.run({ rate: PACED_PER_SECOND, seconds: WARM_UP_SECONDS });
        await pacer.settle();
        const before = await pacer.runUntil(sleep(seconds * 1000), PACED_PER_SECOND);

        let mail = 0;
        let latestMail = Number.NaN;
        for (const client of returning) {
          let missing = MAIL;
          client.listenTo({ from: postman.index, message: MESSAGE });
          client.onMessages = (_client, messages) => {
            missing -= messages;
            mail += messages;
            latestMail = performance.now();
            if (missing === 0) client.acknowledge();
          };
        }
        const stop = crowd.measure();
        const start = performance.now();
        let allWelcomed = Number.NaN;
        const comeBack = async (): Promise<Figures> => {
          const areAllOpen = await crowd.openAll(returning, CONCURRENT, LIMIT_MS);
          const end = performance.now();
          if (areAllOpen) allWelcomed = end;
          while (areAllOpen && mail < expectedMail && performance.now() - (latestMail || end) < LOST_AFTER_MS) {
            await sleep(10);
          }
          return stop(returning.filter(({ isOpen }) => isOpen).length);
        };
        const isBack = comeBack();
        const during = await pacer.runUntil(isBack, PACED_PER_SECOND);
        if (mail > expectedMail) throw new Error(`${mail} messages arrived of ${expectedMail} that were sent`);
        return {
          ...(await isBack),
          welcomedSeconds: (allWelcomed - start) / 1000,
          mailSeconds: mail === expectedMail ? (latestMail - start) / 1000 : Number.NaN,
          resumed: returning.filter(({ isResumed }) => isResumed).length,
          missingMail: expectedMail === 0 ? Number.NaN : expectedMail - mail,
          generatorBusy: during.busyPercent,
          ...percentiles("Before", before.latencies),
          ...percentiles("During", during.latencies),
          delay99: percentile(during.delays, 99),
        };
      },
    };
  },
};

function percentiles(phase: "Before" | "During", latencies: Float64Array): Figures {
  return {
    [`p50${phase}`]: percentile(latencies, 50),
    [`p99${phase}`]: percentile(latencies, 99),
    [`p999${phase}`]: percentile(latencies, 99.9),
  };
}
