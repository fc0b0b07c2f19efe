// Errors of the apply page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const applyErrors = {
  APPLY_FAILED: {
    exit: exit.undone,
    explanation:
      'The kernel refused one step of `up`. Everything made before it was removed again, so the host is as it was. The message holds the step and the words of the kernel.',
  },
  APPLY_LEFT: {
    exit: exit.left,
    explanation:
      'A step failed, and something that nslab made could not be removed. The message lists what is left; `nslab down` tries again.',
  },
} as const satisfies Record<string, CatalogueEntry>;
