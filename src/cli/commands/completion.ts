// `nslab completion`: the script of a shell.

import type { CommandModule } from 'yargs';
import { completionScript, type Shell } from '../completion.ts';
import { definitionsOf } from '../definitions.ts';

export function run(shell: Shell, commands: readonly CommandModule[]): void {
  process.stdout.write(completionScript(shell, definitionsOf(commands)));
}
