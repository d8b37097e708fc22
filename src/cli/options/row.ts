// One option, as the table has it.

import type { CommandName } from "./commands.ts";
import type { Kind, KindRules } from "./kinds.ts";

export interface OptionRow extends KindRules {
  readonly name: string;
  readonly kind: Kind;
  readonly commands: readonly CommandName[];
  /** What stands for the value in help. */
  readonly value?: string;
  readonly help: string;
  /**
   * As somebody would write it. Without one, and if it is not required, the option's value is null.
   */
  readonly default?: string;
  readonly required?: true;
  /** Goes into the name of the environment variable and of the setting in a file. */
  readonly scope?: string;
  /** Heading in the command's help; "Options" if absent. */
  readonly section?: string;
}
