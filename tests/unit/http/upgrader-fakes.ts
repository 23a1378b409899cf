import type { Limits } from "../../../src/core/link/limits.ts";
import { createApp } from "../../../src/http/app.ts";
import type { AppOptions } from "../../../src/http/app-options.ts";
import type { Open } from "../../../src/http/runtime.ts";
import { FakeClient, FakeConnection, startRelay } from "../fakes.ts";
import { HANDSHAKE } from "./good-handshake.ts";

/** An upgrade that the runtime was asked for. The test opens or abandons its socket. */
export interface Upgrade {
  readonly protocol: string | undefined;
  /** Opens the socket. */
  open(): FakeClient;
  /** Reports that the socket will never open. */
  readonly abandon: () => void;
}

/** Starts the app over a runtime that keeps each upgrade that it was asked for. */
export function startUpgrader(options: AppOptions = {}, limits: Partial<Limits> = {}) {
  const { relay, turn } = startRelay({ limits, ...(options.observer && { observer: options.observer }) });
  const upgrades: Upgrade[] = [];
  const app = createApp(
    relay,
    {
      upgradeWebSocket: (_c, open: Open, protocol, abandon) => {
        upgrades.push({
          protocol,
          abandon,
          open: () => {
            const connection = new FakeConnection();
            return new FakeClient(connection, open(connection), turn);
          },
        });
        return new Response(null);
      },
      peerAddress: () => "192.0.2.1",
    },
    options,
  );
  /** Asks for a connection. @returns The status, and the code of a refusal; 200 for an upgrade. */
  const ask = async (path = "/ws", headers: Readonly<Record<string, string>> = {}) => {
    const response = await app.request(path, { headers: { ...HANDSHAKE, ...headers } });
    const body = await response.text();
    return { status: response.status, code: body === "" ? undefined : JSON.parse(body).error.code };
  };
  /** Returns the oldest upgrade that the test has not taken yet. */
  const nextUpgrade = (): Upgrade => {
    const upgrade = upgrades.shift();
    if (upgrade === undefined) throw new Error("Nothing was upgraded");
    return upgrade;
  };
  return { relay, app, ask, upgrades, nextUpgrade };
}
