// Every option of the program, once. Flags, environment variables, names in the configuration file,
// the help and the types that the commands work with are all made from this table.
//
// An option that configures a node or a client is shared: RAFT3D_DATA, `data`. One that belongs to
// a single command carries that command's name (its scope): RAFT3D_UP_PORT, `up_port`. So an
// environment made for `serve` never names a printer by accident, and RAFT3D_PORT, which Kubernetes
// sets for any service called raft3d, means nothing here.

import type { CommandName } from "./commands.ts";
import { COMMON_ROWS } from "./common-rows.ts";
import { FARM_ROWS } from "./farm-rows.ts";
import type { Kind, Values } from "./kinds.ts";
import { NODE_ROWS } from "./node-rows.ts";
import { TOOL_ROWS } from "./tool-rows.ts";

/** Help lists a command's options in this order. */
export const OPTIONS = [...NODE_ROWS, ...FARM_ROWS, ...TOOL_ROWS, ...COMMON_ROWS] as const;

type Row = (typeof OPTIONS)[number];
type RowOf<C extends CommandName, R = Row> = R extends { readonly commands: readonly (infer K)[] }
  ? C extends K
    ? R
    : never
  : never;

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

type ValueOf<R> = R extends { readonly kind: "flag" }
  ? boolean
  : R extends { readonly choices: readonly (infer Choice)[] }
    ? Choice
    : R extends { readonly kind: infer K extends Kind }
      ? R extends { readonly default: string } | { readonly required: true }
        ? Values[K]
        : Values[K] | null
      : never;

/** What a command gets: every option it takes, by its name in camelCase. */
export type OptionsOf<C extends CommandName> = {
  readonly [N in RowOf<C>["name"] as Camel<N>]: ValueOf<Extract<RowOf<C>, { readonly name: N }>>;
};
