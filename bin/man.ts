// `npm run man`: the manual page as dist/nslab.8, made from the commands' own declarations.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commands } from '../src/cli/commands.ts';
import { definitionsOf } from '../src/cli/definitions.ts';
import { manPage } from '../src/cli/man.ts';
import { version } from '../src/cli/version.ts';

const dist = join(import.meta.dirname, '../dist');
mkdirSync(dist, { recursive: true });
writeFileSync(join(dist, 'nslab.8'), manPage(definitionsOf(commands), version));
