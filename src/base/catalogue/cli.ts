// Errors of the cli page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const cliErrors = {
  USAGE: {
    exit: exit.usage,
    explanation: 'The command line is not one that nslab understands. `nslab COMMAND --help` shows its form.',
  },
  OUTPUT_WRITE: {
    exit: exit.host,
    explanation:
      'The file that was named for the output cannot be written. The message has the reason: a folder that is not there, a disk that is full or read-only.',
  },
} as const satisfies Record<string, CatalogueEntry>;
