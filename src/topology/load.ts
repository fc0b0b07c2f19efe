// A topology file as a lab: the one way through parse, vars, containerlab, schema, lower and rules, and the only place of this
// room that reads files. Throws a NslabError with every problem that the file has; warnings come back beside the lab.

import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { NslabError, type Problem, type Where } from '../base/error.ts';
import type { LabName } from '../base/names.ts';
import type { Lab } from '../model/lab.ts';
import type { MachineFacts } from '../model/network.ts';
import { checkTree } from './check.ts';
import { decodeTopology, MAX_FILE_BYTES, parseYaml, tooBig } from './parse.ts';
import { isError, parsePathText, resolveProblems } from './problems.ts';

export type LoadOptions = {
  /** `-` is standard input. */
  readonly path: string;
  /** Of the command line; goes before the one of the file. */
  readonly prefix?: string | undefined;
  /** The number of the copy, where the file is brought up several times. */
  readonly copy?: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `--var NAME=VALUE`. */
  readonly vars?: Readonly<Record<string, string>> | undefined;
  /** What the machine has, asked only where the file leaves a subnet or a port open. */
  readonly machine?: ((lab: LabName) => MachineFacts) | undefined;
};

export type LoadedLab = {
  readonly lab: Lab;
  readonly source: { readonly file: string; readonly text: string };
  readonly warnings: readonly Problem[];
  /** Where a key path of the lab (`nodes.pc1`) stands in the file, for what turns out wrong only on the machine. */
  readonly locate: (path: string) => Where;
};

/** @throws NslabError TOPOLOGY_INVALID with all problems, FILE_... when there is nothing to read */
export function loadLab(options: LoadOptions): LoadedLab {
  const file = options.path === '-' ? '<stdin>' : options.path;
  const decoded = decodeTopology(readTopology(options.path, file), file);
  if (!decoded.ok) throw invalid([decoded.error], file);
  return loadText(decoded.value, { ...options, path: file });
}

/** The same for a text that is there already; `path` is only how messages call it. */
export function loadText(text: string, options: LoadOptions): LoadedLab {
  const file = options.path;
  const parsed = parseYaml(text, file);
  if (parsed.value === undefined || parsed.problems.some(isError)) throw invalid(parsed.problems, file);
  const { lab, problems, unusedVars, origin } = checkTree(parsed.value, {
    ...options,
    defaultName: nameOf(file),
  });
  const all = [...parsed.problems, ...resolveProblems(problems, parsed.locate)];
  if (lab === undefined || all.some(isError)) throw invalid(all, file);
  const [unused] = unusedVars;
  if (unused !== undefined)
    throw new NslabError('USAGE', `--var ${unused}: ${file} has no variable of that name`);
  const locate = (path: string) => parsed.locate(origin(parsePathText(path)));
  return { lab, source: { file, text }, warnings: all, locate };
}

function invalid(problems: readonly Problem[], file: string): NslabError {
  const [first, second] = problems.filter(isError);
  // One mistake is the error itself, so that its own code is what a script sees.
  if (first !== undefined && second === undefined) {
    const { code, message, hint, where } = first;
    return new NslabError(code, message, { hint, where, problems });
  }
  return new NslabError('TOPOLOGY_INVALID', `${file} has ${problems.filter(isError).length} problems`, {
    problems,
  });
}

/** The name of a lab whose file has none: `ring.yaml` and `ring.clab.yml` are `ring`. */
function nameOf(file: string): string | undefined {
  const name = basename(file)
    .replace(/\.(ya?ml|json)$/i, '')
    .replace(/\.(clab|nslab)$/i, '')
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[-.]+|-+$/g, '');
  return name === '' || file === '<stdin>' ? undefined : name.slice(0, 63);
}

/** The bytes of an ordinary file, never more than a topology may have. */
function readTopology(path: string, file: string): Uint8Array {
  try {
    if (path === '-') return readBounded(0, file);
    const fd = openSync(path, 'r');
    try {
      const stat = fstatSync(fd);
      if (stat.isDirectory()) throw unreadable(file, 'is a folder', 'name the file in it');
      // Process substitution, `nslab up <(generate)`, is a pipe; devices never end.
      if (stat.isCharacterDevice() || stat.isBlockDevice()) throw unreadable(file, 'is a device, not a file');
      if (stat.size > MAX_FILE_BYTES) throw invalid([tooBig(stat.size, start(file))], file);
      return stat.isFile() ? readFileSync(fd) : readBounded(fd, file);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof NslabError) throw error;
    throw openError(error, path);
  }
}

function start(file: string) {
  return { file, line: 1, col: 1, endCol: 1, path: '' };
}

/** A pipe to its end; it stops as soon as there is too much. */
function readBounded(fd: number, file: string): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const chunk = new Uint8Array(65536);
    const count = readSome(fd, chunk);
    if (count === 0) return Buffer.concat(chunks, total);
    chunks.push(chunk.subarray(0, count));
    total += count;
    if (total > MAX_FILE_BYTES) throw invalid([tooBig(total, start(file))], file);
  }
}

/** Standard input may be non-blocking (a terminal shared with another process): wait a moment and ask again. */
function readSome(fd: number, chunk: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, chunk);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function unreadable(file: string, what: string, hint?: string, cause?: unknown): NslabError {
  return new NslabError('FILE_UNREADABLE', `${file} ${what}`, { hint, cause });
}

function openError(error: unknown, path: string): Error {
  if (!(error instanceof Error) || !('code' in error)) return error as Error;
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new NslabError('FILE_NOT_FOUND', `there is no file ${path}`, { cause: error });
    case 'EACCES':
    case 'EPERM':
      return unreadable(path, 'may not be read by you', `look at its mode: ls -l ${path}`, error);
    default:
      return unreadable(path, `cannot be read: ${error.message}`, undefined, error);
  }
}
