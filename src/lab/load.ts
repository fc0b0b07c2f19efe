// A topology file as a lab, with what only the outside knows: the environment and the folder it lies in.

import { resolve } from 'node:path';
import { NslabError, type Problem, type Where } from '../base/error.ts';
import type { Lab } from '../model/lab.ts';
import { checkFilters } from '../plan/check-filter.ts';
import { type LoadedLab, type LoadOptions, loadLab, loadText } from '../topology/load.ts';
import { machineFacts } from './machine.ts';

export type LoadRequest = {
  /** `-` is standard input. */
  readonly path: string;
  readonly prefix?: string | undefined;
  /** NAME=VALUE of the command line. */
  readonly vars?: readonly string[] | undefined;
};

export type Loaded = {
  readonly lab: Lab;
  /** What the record keeps: an absolute path, or `-`. */
  readonly file: string;
  readonly warnings: readonly Problem[];
  /** Where a key path of the lab stands in the file. */
  readonly locate: (path: string) => Where;
  /** The same text once more, with what is free on the machine by now. */
  readonly again: () => Lab;
};

/** @throws NslabError with all problems of the file */
export function load(request: LoadRequest): Loaded {
  const options = loadOptions(request);
  return toLoaded(loadLab(options), options);
}

/**
 * The file as so many labs, numbered from 1, which leave each other what they leave open: subnets of networks, ports.
 * @throws NslabError with all problems of the file
 */
export function loadCopies(request: LoadRequest, copies: number): Loaded[] {
  const labs: Lab[] = [];
  const options = (copy: number): LoadOptions => ({
    ...loadOptions(request),
    copy,
    machine: (name) =>
      machineFacts(
        name,
        labs.filter((lab) => lab.name !== name),
      ),
  });
  const first = loadLab(options(1));
  const { file, text } = first.source;
  return Array.from({ length: copies }, (_, index) => {
    const own = options(index + 1);
    const loaded = index === 0 ? first : loadText(text, { ...own, path: file });
    labs.push(loaded.lab);
    return toLoaded(loaded, own);
  });
}

function loadOptions({ path, prefix, vars = [] }: LoadRequest): LoadOptions {
  return {
    path,
    env: process.env,
    machine: (name) => machineFacts(name),
    vars: Object.fromEntries(vars.map(parseVar)),
    ...(prefix === undefined ? {} : { prefix }),
  };
}

function toLoaded({ lab, source, warnings, locate }: LoadedLab, options: LoadOptions): Loaded {
  assertFilters(lab, locate);
  // What comes from a pipe cannot be read twice.
  const again = (): Lab => loadText(source.text, { ...options, path: source.file }).lab;
  return { lab, warnings, locate, again, file: options.path === '-' ? '-' : resolve(options.path) };
}

/** What nf_tables would refuse is a mistake of the file as well, though only plan/ can tell. */
function assertFilters(lab: Lab, locate: Loaded['locate']): void {
  const problems = checkFilters(lab).map(({ path, ...problem }) => ({ ...problem, where: locate(path) }));
  const [first, ...more] = problems;
  if (first === undefined) return;
  const { code, message, where } = first;
  if (more.length === 0) throw new NslabError(code, message, { where, problems });
  throw new NslabError('TOPOLOGY_INVALID', `${where.file} has ${problems.length} problems`, { problems });
}

function parseVar(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw new NslabError('USAGE', `--var ${text}: NAME=VALUE is needed`);
}
