// Errors of the apply page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const applyErrors = {
  APPLY_FAILED: {
    exit: exit.undone,
    explanation:
      'The kernel refused one step of `up`. Everything made before it was removed again, so the host is as it was; where the lab was up already, the change was taken back. The message holds the step and the words of the kernel.',
  },
  IMPAIR_FAILED: {
    exit: exit.undone,
    explanation:
      'The kernel refused what `impair` asked for, and what was set before is still set. The message holds the command and the words of the kernel.',
  },
  APPLY_LEFT: {
    exit: exit.left,
    explanation:
      'A step failed, and something that nslab made could not be removed, or a lab that was to be changed is neither one nor the other. The message lists what is left; `nslab down` tries again.',
  },
  NETNS_HELD: {
    exit: exit.left,
    explanation:
      'Everything that nslab knows of the lab is gone, but some of its namespaces live on: the kernel keeps a namespace as long as a process is in it or has it open, and `down` ends only those that are in it. `lsns -t net` shows processes that are; the others have it under /proc/PID/fd or mounted somewhere.',
  },
} as const satisfies Record<string, CatalogueEntry>;
