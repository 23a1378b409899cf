import type { Figures, RoundOptions } from "../round.ts";
import type { DialectName } from "./dialects.ts";

/** What the bench tells the generator, one line of JSON each. */
export type Order =
  | {
      readonly type: "prepare";
      readonly load: string;
      readonly dialect: DialectName;
      readonly port: number;
      readonly pid: number;
    }
  | {
      /** Holds so many connections that only answer the heartbeat. */
      readonly type: "idle";
      readonly dialect: DialectName;
      readonly port: number;
      readonly connections: number;
    }
  | ({ readonly type: "round" } & RoundOptions);

/** What the generator answers, one line for each order. */
export type Reply =
  | { readonly type: "prepared"; readonly saturatingRate: number }
  | { readonly type: "holding" }
  | { readonly type: "figures"; readonly figures: Figures }
  | { readonly type: "failed"; readonly reason: string };
