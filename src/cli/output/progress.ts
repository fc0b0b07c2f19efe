// Progress on standard error: one line that is redrawn on a terminal, nothing at all elsewhere unless asked for.

import { stderr } from 'node:process';

export type Progress = {
  readonly step: (done: number, total: number) => void;
  /** What is waited for: a line of its own, since it can take long. */
  readonly say: (text: string) => void;
  readonly end: () => void;
};

/** So long a lab is too quick for a bar to be anything but flicker, milliseconds. */
const QUIET_MS = 300;
const WIDTH = 30;

/** A bar with a label, drawn at most every 50 ms. */
export function progressBar(label: string): Progress {
  const say = (text: string): void => {
    stderr.write(`${stderr.isTTY === true ? '\r\x1b[K' : ''}${text}\n`);
  };
  if (stderr.isTTY !== true) return { step: () => undefined, say, end: () => undefined };
  const start = Date.now();
  let drawn = 0;
  return {
    say,
    step(done, total) {
      const now = Date.now();
      if (now - start < QUIET_MS || (now - drawn < 50 && done < total)) return;
      drawn = now;
      const full = total === 0 ? WIDTH : Math.round((done / total) * WIDTH);
      stderr.write(`\r${label} [${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${done}/${total}\x1b[K`);
    },
    end() {
      if (drawn > 0) stderr.write('\r\x1b[K');
    },
  };
}

export type WaitingLine = {
  /** What is waited for, and for how long already. */
  readonly show: (text: string, ms: number) => void;
  readonly end: () => void;
};

/** One line with the seconds that pass on a terminal; elsewhere a line whenever the text is another one. */
export function waitingLine(): WaitingLine {
  const isTerminal = stderr.isTTY === true;
  let shown = '';
  return {
    show(text, ms) {
      if (isTerminal && ms < QUIET_MS) return;
      const line = isTerminal ? `${text} (${Math.floor(ms / 1000)} s)` : text;
      if (line === shown) return;
      shown = line;
      const room = Math.max(20, (stderr.columns ?? 80) - 1);
      stderr.write(isTerminal ? `\r${line.slice(0, room)}\x1b[K` : `${line}\n`);
    },
    end() {
      if (isTerminal && shown !== '') stderr.write('\r\x1b[K');
    },
  };
}

const FRAMES = ['|', '/', '-', '\\'] as const;
/** So long something may take before a log is told what it is, milliseconds. */
const PLAIN_MS = 2000;

/** Does something whose length nobody knows, with a sign of life beside its name: on a terminal one that turns, elsewhere a line. */
export async function spinning<T>(label: string, work: () => Promise<T>): Promise<T> {
  const isTerminal = stderr.isTTY === true;
  const start = Date.now();
  let drawn = 0;
  const draw = (): void => {
    const ms = Date.now() - start;
    if (isTerminal && ms >= QUIET_MS) {
      const line = `${FRAMES[drawn % FRAMES.length]} ${label} (${Math.floor(ms / 1000)} s)`;
      stderr.write(`\r${line.slice(0, Math.max(20, (stderr.columns ?? 80) - 1))}\x1b[K`);
      drawn++;
    }
    if (!isTerminal && drawn === 0 && ms >= PLAIN_MS) {
      stderr.write(`${label}\n`);
      drawn++;
    }
  };
  const timer = setInterval(draw, 100);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if (isTerminal && drawn > 0) stderr.write('\r\x1b[K');
  }
}
