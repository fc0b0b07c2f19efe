// Starting containers: from the op to a runtime configuration, its cgroups and its program (room container/), then one run of the
// helper for all that start together. The helper's `_start` answers one line for each; the monitors that it leaves behind stay.
// It is told of each container when that one's folder is ready, and starts it while the next is prepared here: making the program
// of a container and starting it take about as long as each other. Everything is made where `down` looks for it by name alone
// (container-end.ts).

import { spawn } from 'node:child_process';
import { closeSync, readFileSync, writeSync } from 'node:fs';
import type { Op } from '../plan/op.ts';
import { pipe } from '../sys/libc.ts';
import type { ContainerMaker } from './container-maker.ts';
import { failureOfThrown } from './failure.ts';
import { helperPath } from './helper.ts';
import type { OpFailure, RunResult } from './port.ts';

export type StartContainer = Extract<Op, { readonly kind: 'startContainer' }>;

/** Makes and starts them, all at once; refused ones are told by the first of them. */
export function startContainers(maker: ContainerMaker, ops: readonly StartContainer[]): RunResult {
  const notes: string[] = [];
  try {
    maker.prepare(ops);
  } catch (error) {
    return { done: 0, failure: failureOfThrown(error) };
  }
  const folders = ops.map((op) => maker.folder(op.node));
  const starter = new Starter(folders, ops[0]?.hold === true);
  for (const [done, op] of ops.entries()) {
    try {
      notes.push(...maker.make(op));
      starter.tell();
    } catch (error) {
      starter.finish();
      return { done, failure: failureOfThrown(error, op) };
    }
  }
  const answers = starter.finish();
  for (const [done, folder] of folders.entries()) {
    const said = answers.get(folder) ?? 'error the helper said nothing';
    if (!said.startsWith('ok')) return { done, failure: refused(said) };
  }
  return { done: ops.length, notes };
}

/** As a shell would say it: 127 for a command that is not there, 126 for one that cannot be run. */
const commandCodes: Readonly<Record<string, string>> = {
  126: 'CONTAINER_COMMAND',
  127: 'CONTAINER_NO_COMMAND',
};

function refused(said: string): OpFailure {
  const [, status = '', message = said] = /^error(?:\[(\d+)\])? ([\s\S]*)$/.exec(said) ?? [];
  const code = commandCodes[status];
  if (code === undefined) return { code: 'CONTAINER', message };
  return { code, message: message.replace(/^op \d+ ARGV: /, '') };
}

/** One run of `_start`, which is told of the folders one by one, in their order. */
class Starter {
  readonly #folders: readonly string[];
  readonly #tell: number;
  readonly #answers: number;
  #isGone = false;

  constructor(folders: readonly string[], hold: boolean) {
    this.#folders = folders;
    const told = pipe();
    const said = pipe();
    const words = ['_start', ...(hold ? ['--created'] : []), '--when-told', ...folders];
    // Its answer and its complaint on one pipe: it has either.
    const child = spawn(helperPath(), words, { stdio: [told.read, said.write, said.write] });
    // Where it could not be started, the pipe it was to answer on ends at once.
    child.on('error', () => undefined);
    child.unref();
    closeSync(told.read);
    closeSync(said.write);
    this.#tell = told.write;
    this.#answers = said.read;
  }

  /** The next folder is ready. */
  tell(): void {
    if (this.#isGone) return;
    try {
      writeSync(this.#tell, '.');
    } catch {
      // It has ended before its time (EPIPE); what it said tells why.
      this.#isGone = true;
    }
  }

  /** Folders that were not told of are left out. Waits for what it says of each folder. */
  finish(): ReadonlyMap<string, string> {
    closeSync(this.#tell);
    const text = readFileSync(this.#answers, 'utf8');
    closeSync(this.#answers);
    const answers = new Map<string, string>();
    for (const line of text.split('\n')) {
      // Names have no blanks.
      const space = line.indexOf(' ');
      const folder = line.slice(0, space);
      if (this.#folders.includes(folder)) answers.set(folder, line.slice(space + 1));
    }
    if (answers.size === 0) {
      const [first = ''] = this.#folders;
      answers.set(first, `error ${text.trim() || 'the helper ended without an answer'}`);
    }
    return answers;
  }
}
