// Signals by name and number: signal(7), asm-generic/signal.h. The numbers are those of x86-64 and arm64 alike.

import { err, ok, type Result } from './result.ts';

const names = [
  ...['HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2', 'PIPE'],
  ...['ALRM', 'TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ'],
  ...['VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS'],
];
const numbers: ReadonlyMap<string, number> = new Map([
  ...names.map((name, index): [string, number] => [name, index + 1]),
  ['IOT', 6],
  ['POLL', 29],
  ['CLD', 17],
]);

/** As glibc and musl count them: the first ones are kept for the thread library. */
const RTMIN = 34;
const RTMAX = 64;

/** The number of `SIGTERM`, `term`, `15`, `SIGRTMIN+3`. The error is a half sentence that follows the text. */
export function parseSignal(value: string | number): Result<number> {
  const text = String(value).trim();
  if (/^[0-9]+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= RTMAX ? ok(number) : err(`is not a signal: they go from 1 to ${RTMAX}`);
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const known = numbers.get(name);
  if (known !== undefined) return ok(known);
  const match = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
  if (match === null) return err('is not a signal');
  const offset = Number(match[3] ?? 0) * (match[2] === '-' ? -1 : 1);
  const number = (match[1] === 'MIN' ? RTMIN : RTMAX) + offset;
  return number >= RTMIN && number <= RTMAX ? ok(number) : err('is beyond the real-time signals');
}
