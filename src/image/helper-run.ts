// Verbs of the helper that read or write a tar: started here, and what they say when they fail in the words of the catalogue.

import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { NslabError } from '../base/error.ts';

export type HelperRun = {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** When it has ended. Undefined when all went well. */
  readonly failure: Promise<NslabError | undefined>;
};

const MAX_SAID = 4096;

/** `what` names in messages what it works on. */
export function runHelper(
  helper: string,
  words: readonly string[],
  { what, signal }: { readonly what: string; readonly signal?: AbortSignal | undefined },
): HelperRun {
  const child = spawn(helper, [...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' }),
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(0, MAX_SAID);
  });
  // It may end before it has read all; then it says why.
  child.stdin.on('error', () => undefined);
  const failure = new Promise<NslabError | undefined>((resolve) => {
    child.on('error', (error) => resolve(helperError(what, error.message)));
    child.on('close', (status) => resolve(status === 0 ? undefined : helperError(what, said)));
  });
  return { stdin: child.stdin, stdout: child.stdout, failure };
}

/** It says `error[CODE] WHY`, the reason of a system call as strerror(3) has it. */
function helperError(what: string, said: string): NslabError {
  const line = said.trim().split('\n')[0] ?? '';
  const [, code, text] = /^error\[([A-Z_]+)\] (.*)$/.exec(line) ?? [];
  const why = text ?? (line || 'the helper ended without a word');
  if (/No space left on device|Disk quota exceeded|Read-only file system/.test(why)) {
    return new NslabError('IMAGE_STORE', `cannot write: ${why}`, {
      hint: 'nslab image prune removes what no image needs',
    });
  }
  return new NslabError(code === 'ARCHIVE_BROKEN' ? 'IMAGE_BROKEN' : 'IMAGE_LAYER', `${what}: ${why}`);
}
