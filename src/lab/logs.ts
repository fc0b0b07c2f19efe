// Reading the log that a monitor keeps of its container: lines `TIME stdout|stderr F|P TEXT` (src/helper/log.c), in a file that is
// rotated by renaming it to log.1, log.2, ... Bytes stay bytes: a container may print anything.

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { NslabError } from '../base/error.ts';
import { codeOf } from '../sys/errno.ts';

export type LogLine = {
  /** RFC 3339, UTC, nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** Not the end of what the container wrote as a line: what follows belongs to it. */
  readonly partial: boolean;
  readonly text: Buffer;
};

export type LogRequest = {
  /** VAR of the container. */
  readonly folder: string;
  /** Only the last so many. */
  readonly tail?: number | undefined;
  /** Only those from then on, in the form of the lines' own times. */
  readonly since?: string | undefined;
  /** Only those before then. */
  readonly until?: string | undefined;
  /** Called at the end of what is there: false ends the reading, else it goes on when there is more. */
  readonly goOn: () => boolean;
};

const POLL_MS = 50;
const CHUNK = 65536;
const MOST_FILES = 1000;
const MOST_AT_ONCE = 4 << 20;
/** Above LOG_HEAD_MAX + LOG_LINE_MAX of src/helper/log.h. */
const MOST_OF_LINE = 1 << 16;

/** The lines of the log, as many at a time as are there, and never more than a container can flood a reader with. */
export async function* readLog(request: LogRequest): AsyncGenerator<readonly LogLine[]> {
  const { folder, tail, goOn } = request;
  const isWanted = inTime(request);
  const files = new LogFiles(folder);
  try {
    const { size } = files;
    let last: readonly LogLine[] = [];
    // What is there now; what comes meanwhile is for later.
    while (files.read < size) {
      const before = files.read;
      const lines = files.readSome();
      if (files.read === before) break;
      if (tail === undefined) yield lines.filter(isWanted);
      else last = lastLines([...last, ...lines.filter(isWanted)], tail);
    }
    if (last.length > 0) yield last;
    for (;;) {
      // Asked before the last look, so that nothing is missed that was written before the end.
      const more = goOn();
      const before = files.read;
      const lines = files.readSome();
      if (files.read > before) yield lines.filter(isWanted);
      else if (!more) return;
      else await pause(POLL_MS);
    }
  } finally {
    files.close();
  }
}

function inTime({ since = '', until }: LogRequest): (line: LogLine) => boolean {
  return ({ time }) => time >= since && (until === undefined || time < until);
}

/** The end of the lines. What was written as one line counts as one, and so does one that has not ended yet. */
function lastLines(lines: readonly LogLine[], count: number): readonly LogLine[] {
  let ends = 0;
  for (let from = lines.length; from > 0; from--) {
    if (lines[from - 1]?.partial === false || from === lines.length) ends++;
    if (ends > count) return lines.slice(from);
  }
  return lines;
}

/** The files in the order in which they were written, read on from where the last look ended. */
class LogFiles {
  readonly #folder: string;
  #fd: number | undefined;
  #position = 0;
  /** The beginning of a line whose end is not there yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Bytes read so far. */
  read = 0;

  /** Bytes of all files as they are now. */
  get size(): number {
    return [...this.#files()].reduce((sum, { size }) => sum + size, 0);
  }

  /** The next lines, some megabytes of them at most; `read` stays what it is at the end. */
  readSome(): LogLine[] {
    const lines: LogLine[] = [];
    const until = this.read + MOST_AT_ONCE;
    while (this.read < until) {
      this.#fd ??= this.#openOldest();
      if (this.#fd === undefined) return lines;
      if (this.#readChunk(this.#fd, lines)) continue;
      const next = this.#openNext(this.#fd);
      if (next === undefined) return lines;
      // What was written between the last read and the rotation.
      while (this.#readChunk(this.#fd, lines));
      closeSync(this.#fd);
      this.#fd = next;
      this.#startAt(0);
    }
    return lines;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #path(age: number): string {
    return age === 0 ? `${this.#folder}/log` : `${this.#folder}/log.${age}`;
  }

  /** From the newest on. While the monitor renames them one name is missing at a time, so one that is missing is not the end. */
  *#files(): Generator<{ readonly age: number; readonly ino: number; readonly size: number }> {
    let missing = 0;
    for (let age = 0; age < MOST_FILES && missing < 2; age++) {
      const stat = statSync(this.#path(age), { throwIfNoEntry: false });
      missing = stat === undefined ? missing + 1 : 0;
      if (stat !== undefined) yield { age, ino: stat.ino, size: stat.size };
    }
  }

  #openOldest(): number | undefined {
    for (;;) {
      const oldest = [...this.#files()].at(-1);
      if (oldest === undefined) return undefined;
      const fd = this.#openIf(oldest.age, () => [...this.#files()].at(-1)?.ino === oldest.ino);
      if (fd !== undefined) return fd;
    }
  }

  /** The file that was begun when this one was put aside; undefined while this is the one that is written. */
  #openNext(fd: number): number | undefined {
    const { ino } = fstatSync(fd);
    const ageOf = (): number | undefined => [...this.#files()].find((file) => file.ino === ino)?.age;
    for (;;) {
      const age = ageOf();
      if (age === 0) return undefined;
      // It was deleted while we were reading it: on with the oldest that is left.
      if (age === undefined) return this.#openOldest();
      const next = this.#openIf(age - 1, () => ageOf() === age);
      if (next !== undefined || inodeOf(this.#path(age - 1)) === undefined) return next;
    }
  }

  /** Opens the file of that age if, with it open, the names are still what they were: they move on with each rotation. */
  #openIf(age: number, isSo: () => boolean): number | undefined {
    const fd = tryOpen(this.#path(age));
    if (fd === undefined || isSo()) return fd;
    closeSync(fd);
    return undefined;
  }

  /** False at the end of the file. */
  #readChunk(fd: number, lines: LogLine[]): boolean {
    const chunk = Buffer.alloc(CHUNK);
    const count = readSync(fd, chunk, { position: this.#position });
    if (count === 0) {
      // The monitor takes a line back that did not fit on the disk; what follows begins a line.
      const { size } = fstatSync(fd);
      if (size < this.#position) this.#startAt(size);
      return false;
    }
    this.read += count;
    this.#position += count;
    let text: Buffer = Buffer.concat([this.#rest, chunk.subarray(0, count)]);
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
      const line = parseLogLine(text.subarray(0, end));
      if (line !== undefined) lines.push(line);
      text = text.subarray(end + 1);
    }
    // No line of a log is as long: it is something else, and not kept.
    this.#rest = text.length > MOST_OF_LINE ? Buffer.alloc(0) : text;
    return true;
  }

  #startAt(position: number): void {
    this.#position = position;
    this.#rest = Buffer.alloc(0);
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined for what is no line of a log. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(32);
  const second = line.indexOf(32, first + 1);
  const third = line.indexOf(32, second + 1);
  if (first <= 0 || second < 0) return undefined;
  const end = third < 0 ? line.length : third;
  const stream = line.toString('latin1', first + 1, second);
  const flag = line.toString('latin1', second + 1, end);
  if ((stream !== 'stdout' && stream !== 'stderr') || (flag !== 'F' && flag !== 'P')) return undefined;
  return {
    time: line.toString('latin1', 0, first),
    stream,
    partial: flag === 'P',
    text: third < 0 ? Buffer.alloc(0) : line.subarray(third + 1),
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * `10m` ago, `1h30m`, `1700000000` or a date as the time of a log's lines.
 * @throws NslabError USAGE
 */
export function parseTime(text: string, now: number): string {
  const seconds = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) * 1000 : undefined;
  const ago = /^([0-9]+(ms|s|m|h|d))+$/.test(text)
    ? [...text.matchAll(/([0-9]+)(ms|s|m|h|d)/g)].reduce(
        (sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0),
        0,
      )
    : undefined;
  const time = seconds ?? (ago === undefined ? Date.parse(text) : now - ago);
  if (Number.isFinite(time) && Math.abs(time) < 8e15)
    return new Date(time).toISOString().replace('Z', '000000Z');
  throw new NslabError('USAGE', `${text} is no time`, { hint: 'as 10m, 1h30m or 2026-01-31T12:00:00Z' });
}
