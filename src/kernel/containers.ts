// Starting containers: from the op to a runtime configuration, its cgroups and its program (room container/), then one run of the
// helper for all that start together. The helper's `_start` answers one line for each; the monitors that it leaves behind stay.
// Everything is made where `down` looks for it by name alone (container-end.ts).

import { spawnSync } from 'node:child_process';
import type { Op } from '../plan/op.ts';
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
  for (const [done, op] of ops.entries()) {
    try {
      notes.push(...maker.make(op));
    } catch (error) {
      return { done, failure: failureOfThrown(error, op) };
    }
  }
  const answers = startAll(
    ops.map((op) => maker.folder(op.node)),
    ops[0]?.hold === true,
  );
  for (const [done, op] of ops.entries()) {
    const said = answers.get(maker.folder(op.node)) ?? 'error the helper said nothing';
    if (!said.startsWith('ok')) return { done, failure: refused(said) };
  }
  return { done: ops.length, notes };
}

function refused(said: string): OpFailure {
  return { code: 'CONTAINER', message: said.replace(/^error /, '') };
}

/** What `_start` says of each folder. */
function startAll(folders: readonly string[], hold: boolean): ReadonlyMap<string, string> {
  const words = ['_start', ...(hold ? ['--created'] : []), ...folders];
  const { stdout, stderr, error } = spawnSync(helperPath(), words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 16 << 20,
  });
  if (error !== undefined) throw error;
  const answers = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    // Names have no blanks.
    const space = line.indexOf(' ');
    if (space > 0) answers.set(line.slice(0, space), line.slice(space + 1));
  }
  if (answers.size === 0) {
    const [first = ''] = folders;
    answers.set(first, `error ${stderr.trim() || 'the helper ended without an answer'}`);
  }
  return answers;
}
