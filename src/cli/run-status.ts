// The exit status of `run` and `create` when nslab itself fails. Theirs is otherwise that of the command, which may be any, so
// they say it as `docker run` does: 125, and 126 or 127 for a command that cannot be run or is not there.

import { exit } from '../base/catalogue/entry.ts';
import { NslabError } from '../base/error.ts';

const OURS = 125;

/** `status` is what any other command would end with after this error. */
export function statusOf(words: readonly string[], error: unknown, status: number): number {
  if (words[0] !== 'run' && words[0] !== 'create') return status;
  const code = error instanceof NslabError ? error.code : undefined;
  if (code === 'CONTAINER_NO_COMMAND') return exit.noCommand;
  if (code === 'CONTAINER_COMMAND') return exit.cannotExec;
  return status === exit.interrupted ? status : OURS;
}
