// Errors of the cli page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const cliErrors = {
  USAGE: {
    exit: exit.usage,
    explanation: 'The command line is not one that nslab understands. `nslab COMMAND --help` shows its form.',
  },
} as const satisfies Record<string, CatalogueEntry>;
