// Errors of the archive page of the catalogue (see entry.ts for what a field means). The helper gives them (src/helper/tar-*.c).

import { type CatalogueEntry, exit } from './entry.ts';

export const archiveErrors = {
  ARCHIVE_BROKEN: {
    exit: exit.lab,
    explanation:
      'The bytes are no tar archive, or one that is damaged or cut off: a checksum, a number or a length in it is wrong. The message names the entry. Files before it may have been made. Get the archive again.',
  },
  ARCHIVE_REFUSED: {
    exit: exit.lab,
    explanation:
      'An entry of the archive wants what no archive gets: a name or a link that leads out of the folder, a device where none is allowed, a whiteout of nothing, a directory in the place of a file. The message names the entry. Nothing outside of the folder was touched.',
  },
  ARCHIVE_LIMIT: {
    exit: exit.lab,
    explanation:
      'The archive has more bytes or entries than allowed, or a name, an extended attribute or a tree that is longer, bigger or deeper than nslab makes. The limits keep an archive from filling the disk or from making paths that nobody could remove again.',
  },
} as const satisfies Record<string, CatalogueEntry>;
