// A test program in C with sources of the helper, built with ASan and UBSan, whose first report ends it.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const helper = join(import.meta.dirname, '../../src/helper');

/** Builds test/support/NAME.c with those files of the helper in the folder, and returns the program. */
export function buildSanitized(folder: string, name: string, sources: readonly string[]): string {
  const program = join(folder, name);
  const flags = [
    '-std=c17',
    '-D_GNU_SOURCE',
    '-O1',
    '-g',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
  ];
  const files = [join(import.meta.dirname, `${name}.c`), ...sources.map((source) => join(helper, source))];
  execFileSync('cc', [...flags, '-I', helper, '-o', program, ...files], { stdio: 'inherit' });
  return program;
}
