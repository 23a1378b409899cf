import type { Figures, RoundOptions } from "../round.ts";
import type { DialectName } from "./dialects.ts";

/** Order of the bench to the generator, as one line of JSON. */
export type Order =
  | {
      readonly type: "prepare";
      readonly load: string;
      readonly dialect: DialectName;
      readonly port: number;
      readonly pid: number;
    }
  | {
      /** Opens this many connections that only answer the heartbeat, and holds them. */
      readonly type: "idle";
      readonly dialect: DialectName;
      readonly port: number;
      readonly connections: number;
    }
  | ({ readonly type: "round" } & RoundOptions);

/** Reply of the generator to an order, as one line of JSON. */
export type Reply =
  | { readonly type: "prepared"; readonly saturatingRate: number }
  | { readonly type: "holding" }
  | { readonly type: "figures"; readonly figures: Figures }
  | { readonly type: "failed"; readonly reason: string };
