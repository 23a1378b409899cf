import { connect } from "./connect.ts";
import { fanIn } from "./fan-in.ts";
import { idle } from "./idle.ts";
import { large1m, large1mBytes, large16k, large16kBytes, large256k, large256kBytes } from "./large.ts";
import { latencyAlone, latencyBesideIdle } from "./latency.ts";
import type { Load } from "./load.ts";
import {
  pingPong1,
  pingPong1Of1000,
  pingPong1Of10000,
  pingPong16,
  pingPongJson,
  pingPongKib,
  pingPongMeeting,
} from "./ping-pong.ts";
import { publish } from "./publish.ts";
import { scale100, scale1000, scale10000 } from "./scale.ts";
import { storm } from "./storm.ts";

/** All loads, in the order of the report. A new load is a file of its own and a name here. */
export const LOADS: readonly Load[] = [
  pingPong1,
  pingPong1Of1000,
  pingPong1Of10000,
  pingPongMeeting,
  pingPong16,
  pingPongKib,
  large16k,
  large256k,
  large1m,
  large16kBytes,
  large256kBytes,
  large1mBytes,
  fanIn,
  idle,
  connect,
  storm,
  latencyAlone,
  latencyBesideIdle,
  scale100,
  scale1000,
  scale10000,
  pingPongJson,
  publish,
];
