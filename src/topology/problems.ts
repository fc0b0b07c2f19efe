// Problems of a topology file while they are still known by key path alone, and their way to file, line and column.
// Stages after the parser collect PathProblem and never throw for bad input; this file must not print or word anything.

import type { Problem, Where } from '../base/error.ts';
import type { ErrorCode } from '../base/error-catalogue.ts';

/** Keys and list positions from the top of the file: `['nodes', 'pc1', 'interfaces', 'eth0', 'addresses', 0]`. */
export type Path = readonly (string | number)[];

/** Which half of `key: value` a problem points at. */
export type Part = 'key' | 'value';

/** One mistake, known by its key path. Warnings are printed and do not stop `up`. */
export type PathProblem = {
  readonly code: ErrorCode;
  /** What is wrong, one line, with no full stop at its end. */
  readonly message: string;
  /** How to mend it. */
  readonly hint?: string | undefined;
  readonly path: Path;
  /** `value` when absent. */
  readonly part?: Part | undefined;
  /** `error` when absent. */
  readonly severity?: 'error' | 'warning' | undefined;
  /** The second place that belongs to the mistake, as the first use of a duplicate. */
  readonly related?: { readonly message: string; readonly path: Path; readonly part?: Part } | undefined;
};

/** Finds a key path in the text; falls back to the nearest ancestor that exists. */
export type Locate = (path: Path, part?: Part) => Where;

const plainKey = /^[A-Za-z0-9_$-]+$/;

/** Of the paths that every lab has by the thousand. */
const usualKeys = new Set(['nodes', 'links', 'endpoints', 'interfaces', 'addresses', 'routes', 'kind']);

/** The path as text, as model objects keep it: `nodes.pc1.routes[0]`, `nodes["r1.lan"].mtu`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!usualKeys.has(step) && !plainKey.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

const stepPattern = /\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([A-Za-z0-9_$-]+)/y;

/** The inverse of {@link pathText}. */
export function parsePathText(text: string): Path {
  const path: (string | number)[] = [];
  stepPattern.lastIndex = 0;
  while (stepPattern.lastIndex < text.length) {
    const at = stepPattern.lastIndex;
    const match = stepPattern.exec(text);
    if (match === null) throw new Error(`not a key path: ${JSON.stringify(text)} at ${at}`);
    const [, index, quoted, plain] = match;
    if (index !== undefined) path.push(Number(index));
    else path.push(quoted === undefined ? (plain ?? '') : (JSON.parse(quoted) as string));
  }
  return path;
}

/** Gives every problem its place, drops those said twice, and sorts by position in the file. */
export function resolveProblems(problems: readonly PathProblem[], locate: Locate): Problem[] {
  const seen = new Map<string, Problem>();
  for (const problem of withoutConsequences(problems)) {
    const where = locate(problem.path, problem.part);
    const key = `${problem.code}\0${problem.message}\0${where.line}\0${where.col}`;
    if (!seen.has(key)) seen.set(key, resolve(problem, where, locate));
  }
  return sortProblems([...seen.values()]);
}

/** What only follows from another mistake: the code that is no news, and those that it follows from. */
const consequences: Partial<Record<ErrorCode, (cause: PathProblem) => boolean>> = {
  INTERFACE_NO_LINK: ({ path, severity }) => path[0] === 'links' && severity !== 'warning',
  AUTO_NO_SUBNET: ({ code }) => code === 'POOL_EXHAUSTED',
};

function withoutConsequences(problems: readonly PathProblem[]): PathProblem[] {
  const unset = new Set(
    problems
      .filter(({ code }) => code === 'VAR_UNSET' || code === 'VAR_SYNTAX')
      .map(({ path }) => pathText(path)),
  );
  const known = new Map<ErrorCode, boolean>();
  return problems.filter(({ code, path }) => {
    const follows = consequences[code];
    if (follows !== undefined) {
      const isNoNews = known.get(code) ?? problems.some(follows);
      known.set(code, isNoNews);
      if (isNoNews) return false;
    }
    // A value with a hole in it is not judged.
    return unset.size === 0 || code === 'VAR_UNSET' || code === 'VAR_SYNTAX' || !unset.has(pathText(path));
  });
}

/** Sorted by position; at one position in the order in which they were found. Problems without a place come first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort(
    (a, b) => (a.where?.line ?? 0) - (b.where?.line ?? 0) || (a.where?.col ?? 0) - (b.where?.col ?? 0),
  );
}

/** True for a problem that stops `up`. */
export function isError(problem: { readonly severity?: 'error' | 'warning' | undefined }): boolean {
  return problem.severity !== 'warning';
}

function resolve(problem: PathProblem, where: Where, locate: Locate): Problem {
  const { code, message, hint, severity, related } = problem;
  return {
    code,
    message,
    where,
    ...(hint === undefined ? {} : { hint }),
    ...(severity === undefined ? {} : { severity }),
    ...(related === undefined
      ? {}
      : { related: { message: related.message, where: locate(related.path, related.part) } }),
  };
}
