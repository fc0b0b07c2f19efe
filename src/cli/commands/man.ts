// `nslab man`: the manual page, for man(1).

import type { CommandModule } from 'yargs';
import { definitionsOf } from '../definitions.ts';
import { manPage } from '../man.ts';
import { version } from '../version.ts';

export function run(commands: readonly CommandModule[]): void {
  process.stdout.write(manPage(definitionsOf(commands), version));
}
