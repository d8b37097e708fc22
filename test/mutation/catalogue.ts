// Every planted bug. Adding one means adding it here and writing docs/mutants.md anew
// (`npm run mutants -- --write`); test/mutants.test.ts holds the two together.

import { CORE_MUTANTS, HTTP_MUTANTS, TRANSPORT_MUTANTS } from "./edge-mutants.ts";
import { FSM_MUTANTS } from "./fsm-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { NODE_MUTANTS } from "./node-mutants.ts";
import { STORAGE_MUTANTS } from "./storage-mutants.ts";

export const MUTANTS: readonly Mutant[] = [
  ...STORAGE_MUTANTS,
  ...NODE_MUTANTS,
  ...CORE_MUTANTS,
  ...FSM_MUTANTS,
  ...TRANSPORT_MUTANTS,
  ...HTTP_MUTANTS,
];
