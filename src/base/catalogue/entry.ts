// The shape of one entry of the error catalogue, and the exit statuses.

/** Exit statuses of nslab. `exec` and `shell` return the command's own instead. */
export const exit = {
  ok: 0,
  bug: 1,
  usage: 2,
  topology: 3,
  host: 4,
  undone: 5,
  left: 6,
  lab: 7,
  /** `exec`: the command was found and could not be run, or was not found; as a shell has it. */
  cannotExec: 126,
  noCommand: 127,
  interrupted: 130,
} as const;

export type CatalogueEntry = {
  readonly exit: (typeof exit)[keyof typeof exit];
  /** One paragraph: when it happens, why it matters, how to mend it. */
  readonly explanation: string;
};
