// What goes wrong in the store, in the words of the error catalogue.

import { NslabError } from '../base/error.ts';
import { codeOf } from '../sys/errno.ts';

/** Of the file system, and no mistake of what was written. */
const ofTheDisk = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EACCES',
  'EPERM',
  'EMFILE',
  'ENFILE',
  'EFBIG',
]);

/** The error as it is thrown: one of the disk's becomes IMAGE_STORE. */
export function storeError(doing: string, error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof NslabError || !ofTheDisk.has(code)) return error;
  const hint =
    code === 'ENOSPC' || code === 'EDQUOT' ? 'nslab image prune removes what no image needs' : undefined;
  return new NslabError('IMAGE_STORE', `${doing}: ${code}`, { cause: error, hint });
}

export function brokenError(what: string, why: string): NslabError {
  return new NslabError('IMAGE_BROKEN', `${what}: ${why}`);
}
