// Draws problems as text: code, message, place, the line with carets under the mistake, hint, second place. It returns text and
// prints nothing. Nothing of a file reaches a terminal as it is: control characters are drawn, long lines are cut.

import { Chalk, type ChalkInstance } from 'chalk';
import type { NslabError, Problem, Where } from '../../base/error.ts';
import { count } from './count.ts';
import { visible } from './visible.ts';

export type Style = {
  readonly colour: boolean;
  /** Columns of the terminal; long lines of the file are cut to it. 100 when absent. */
  readonly width?: number;
  /** The text of a file, for a place that does not bring its line along. */
  readonly readSource?: (file: string) => string | undefined;
};

/** More than this in one go is not read by anybody. */
const MOST_SHOWN = 20;

/** An error as the edge prints it: with all its problems when it stands for a file, else alone. */
export function renderError(error: NslabError, style: Style): string {
  if (error.problems.length > 0) return renderProblems(error.problems, style);
  const { code, message, hint, where } = error;
  return renderProblem(
    { code, message, ...(hint === undefined ? {} : { hint }), ...(where === undefined ? {} : { where }) },
    style,
  );
}

/** Several problems, an empty line between two, and at the end how many there are. */
export function renderProblems(problems: readonly Problem[], style: Style): string {
  const groups = sameWords(problems);
  // When there are too many, those that stop `up` are the ones to show.
  const shown = groups.length > MOST_SHOWN ? worstFirst(groups).slice(0, MOST_SHOWN) : groups;
  const blocks = groups.filter((group) => shown.includes(group)).map((group) => renderGroup(group, style));
  const more = groups.length - shown.length;
  if (more > 0) blocks.push(`... and ${more} more\n`);
  if (problems.length > 1) blocks.push(`${summary(problems)}\n`);
  return blocks.join('\n');
}

type Group = readonly [Problem, ...Problem[]];

/** A node that is missing is missing at each of its links: that is said once, with all its places. */
function sameWords(problems: readonly Problem[]): Group[] {
  const groups = new Map<string, [Problem, ...Problem[]]>();
  for (const problem of problems) {
    const key = JSON.stringify([problem.code, problem.message, problem.hint]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [problem]);
    else group.push(problem);
  }
  return [...groups.values()];
}

function renderGroup([first, ...others]: Group, style: Style): string {
  const places = others.flatMap(({ where }) => (where === undefined ? [] : [`${where.line}:${where.col}`]));
  if (places.length === 0) return renderProblem(first, style);
  const listed =
    places.length > 8 ? `${places.slice(0, 6).join(', ')} and ${places.length - 6} more` : places.join(', ');
  return `${renderProblem(first, style)}  the same at ${listed}\n`;
}

function worstFirst(groups: readonly Group[]): Group[] {
  const isWarning = ([problem]: Group) => (problem.severity === 'warning' ? 1 : 0);
  return [...groups].sort((a, b) => isWarning(a) - isWarning(b));
}

function summary(problems: readonly Problem[]): string {
  const warnings = problems.filter((problem) => problem.severity === 'warning').length;
  const errors = problems.length - warnings;
  const counts = [
    ...(errors > 0 ? [count(errors, warnings > 0 ? 'error' : 'problem')] : []),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
  ];
  const file = problems.find((problem) => problem.where !== undefined)?.where?.file;
  return file === undefined ? counts.join(' and ') : `${counts.join(' and ')} in ${visible(file)}`;
}

/** One problem, ending in a newline. */
export function renderProblem(problem: Problem, style: Style): string {
  const chalk = new Chalk({ level: style.colour ? 1 : 0 });
  const isWarning = problem.severity === 'warning';
  const mark = isWarning ? chalk.yellow : chalk.red;
  const head = `${mark.bold(`${isWarning ? 'warning' : 'error'}[${problem.code}]`)} ${chalk.bold(visible(problem.message))}`;
  const lines = [head];
  const { where, hint, related } = problem;
  const drawing = { style, chalk, gutter: gutterWidth(where, related?.where) };
  if (where !== undefined) lines.push(...place(where, mark, drawing));
  if (related !== undefined) {
    lines.push(`  ${chalk.blue('note:')} ${visible(related.message)}`);
    lines.push(...place(related.where, chalk.blue, drawing));
  }
  if (hint !== undefined) lines.push(`  ${chalk.cyan('hint:')} ${visible(hint)}`);
  return `${lines.join('\n')}\n`;
}

type Drawing = {
  readonly gutter: number;
  readonly chalk: ChalkInstance;
  readonly style: Style;
};

function gutterWidth(...places: readonly (Where | undefined)[]): number {
  return Math.max(...places.map((where) => String(where?.line ?? 0).length));
}

function place(where: Where, mark: ChalkInstance, { gutter, chalk, style }: Drawing): string[] {
  const path = where.path === '' ? '' : `   ${chalk.dim(visible(where.path))}`;
  const at = `  ${chalk.blue('-->')} ${visible(where.file)}:${where.line}:${where.col}${path}`;
  const text = where.text ?? style.readSource?.(where.file)?.split(/\r?\n/)[where.line - 1] ?? '';
  if (text.trim() === '') return [at];
  const width = Math.max(20, (style.width ?? 100) - gutter - 5);
  const cut = clip(text, [where.col - 1, where.endCol - 1], width);
  const number = String(where.line).padStart(gutter);
  const carets = `${' '.repeat(columns(cut.before))}${mark('^'.repeat(Math.max(1, columns(cut.marked))))}`;
  return [
    at,
    `  ${chalk.blue(`${number} |`)} ${cut.before}${cut.marked}${cut.after}`,
    `  ${' '.repeat(gutter)} ${chalk.blue('|')} ${carets}`,
  ];
}

type Cut = { readonly before: string; readonly marked: string; readonly after: string };

/** The line in three pieces, made visible and short enough; what is marked is cut last. */
function clip(text: string, [start, end]: readonly [number, number], width: number): Cut {
  const before = visible(text.slice(0, start));
  const marked = shorten(visible(text.slice(start, end)), width, 'end');
  const after = visible(text.slice(end).trimEnd());
  const room = Math.max(0, width - columns(marked));
  if (columns(before) + columns(after) <= room) return { before, marked, after };
  const beforeRoom = Math.max(room - columns(after), Math.floor(room / 2));
  const shortBefore = shorten(before, beforeRoom, 'start');
  return {
    before: shortBefore,
    marked,
    after: shorten(after, Math.max(0, room - columns(shortBefore)), 'end'),
  };
}

function shorten(text: string, width: number, cutAt: 'start' | 'end'): string {
  if (columns(text) <= width) return text;
  if (width <= 3) return '...'.slice(0, width);
  const characters = [...text];
  if (cutAt === 'start') characters.reverse();
  let kept = '';
  let used = 3;
  for (const character of characters) {
    used += columns(character);
    if (used > width) break;
    kept = cutAt === 'start' ? character + kept : kept + character;
  }
  return cutAt === 'start' ? `...${kept}` : `${kept}...`;
}

/** Columns on a terminal: letters of East Asian scripts and emoji take two, combining marks none. */
function columns(text: string): number {
  let width = 0;
  for (const character of text) width += narrowOrWide(character);
  return width;
}

function narrowOrWide(character: string): number {
  if (/^[\x20-\x7e]$/.test(character)) return 1;
  if (/^\p{Mark}$/u.test(character)) return 0;
  const wide =
    /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;
  return wide.test(character) ? 2 : 1;
}
