// What is asked of a container's monitor: stop, start, kill, pause, wait. The helper carries the request (src/helper/control.c), so
// that a long wait is a child process that Ctrl-C ends, and not a thread that hears nothing.

import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { NslabError } from '../base/error.ts';
import { parseSignal } from '../base/signals.ts';
import { helperPath } from '../kernel/helper.ts';
import { isRemovedAtEnd } from './container-config.ts';
import { type Container, stateOf } from './containers.ts';
import { waitUntilRemoved } from './remove.ts';

/** Docker's default is that of the file, ten seconds where it says nothing; the monitor knows it. */
export async function stopContainer(container: Container, graceSeconds?: number): Promise<void> {
  const status = stateOf(container)?.status;
  if (status === 'exited' || status === 'dead' || status === undefined) return;
  await askToStop(container, graceSeconds);
  if (isRemovedAtEnd(container) && !(await waitUntilRemoved(container.lab))) {
    throw new NslabError('CONTAINER_REFUSED', `container ${container.node} has ended and is not removed`, {
      hint: `nslab rm ${container.node} says why`,
    });
  }
}

async function askToStop(container: Container, graceSeconds: number | undefined): Promise<void> {
  // To the monitor 0 means what the file says.
  const grace = graceSeconds === undefined ? [] : [String(Math.max(1, Math.round(graceSeconds * 1000)))];
  await request(container, ['stop', ...grace]);
}

/** One that runs already is fine; one whose monitor was killed gets a new one. */
export async function startContainer(container: Container): Promise<void> {
  const state = stateOf(container);
  if (state?.status === 'running') return;
  if (state?.monitored !== true) startAnew(container, []);
  else await request(container, ['start']);
}

/** Made, if its monitor was killed, so that somebody can be attached when it starts. True when it runs already. */
export function isRunningOrMade(container: Container): boolean {
  const state = stateOf(container);
  if (state?.status === 'running' || state?.status === 'paused') return true;
  if (state?.monitored !== true) startAnew(container, ['--created']);
  return false;
}

function startAnew({ node, folder }: Container, flags: readonly string[]): void {
  const { status, stdout, error } = spawnSync(helperPath(), ['_start', ...flags, folder], {
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  const text = stdout.trim().slice(folder.length + 1);
  if (status === 0 && !text.startsWith('error')) return;
  throw new NslabError(
    'CONTAINER_REFUSED',
    `container ${node} does not start: ${text.replace(/^error(\[\d+\])? /, '')}`,
  );
}

export async function restartContainer(container: Container, graceSeconds?: number): Promise<void> {
  if (stateOf(container)?.monitored === true) {
    // One with --rm stays between the two.
    await request(container, ['keep']);
    await askToStop(container, graceSeconds);
  }
  await startContainer(container);
}

/** @param signal a name with or without SIG, or a number */
export async function killContainer(container: Container, signal: string): Promise<void> {
  await request(container, ['kill', String(signalNumber(signal))]);
}

/** @throws NslabError USAGE */
function signalNumber(text: string): number {
  const signal = parseSignal(text);
  if (signal.ok) return signal.value;
  throw new NslabError('USAGE', `there is no signal ${text}`, { hint: 'kill -l lists them' });
}

export async function pauseContainer(container: Container): Promise<void> {
  await request(container, ['pause']);
}

export async function unpauseContainer(container: Container): Promise<void> {
  await request(container, ['unpause']);
}

/** The exit status of a container, when it has ended. */
export async function waitForExit(container: Container): Promise<number> {
  const before = stateOf(container);
  if (before?.status === 'exited') return before.exit ?? 0;
  const { stdout } = await request(container, ['wait']);
  const status = /(\d+)/.exec(stdout)?.[1];
  return status === undefined ? (stateOf(container)?.exit ?? 0) : Number(status);
}

/** The terminal, or what stands for it, becomes the container's until it ends or the user leaves. Returns the exit status. */
export function attachContainer(container: Container, options: readonly string[]): number {
  const { status, signal, error } = spawnSync(helperPath(), ['_attach', ...options, container.folder], {
    stdio: 'inherit',
  });
  if (error !== undefined) throw error;
  return status ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

type Answer = { readonly status: number; readonly stdout: string };

/** @throws NslabError CONTAINER_REFUSED with the monitor's words */
async function request(container: Container, words: readonly string[]): Promise<Answer> {
  const { node, folder } = container;
  const child = spawn(helperPath(), ['_control', folder, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, status] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    new Promise<number>((resolve, reject) => {
      child.once('error', reject).once('close', (code) => resolve(code ?? 1));
    }),
  ]);
  if (status === 0 || /^(ok|exit)\b/.test(stdout)) return { status, stdout };
  const said = `${stderr}\n${stdout}`
    .split('\n')
    .map((line) => line.replace(/^error(\[[A-Z_]+\])? ?/, '').trim())
    .find((line) => line !== '');
  const state = stateOf(container)?.status ?? 'not started';
  throw new NslabError('CONTAINER_REFUSED', `container ${node}: ${said ?? `it is ${state}`}`, {
    hint: `it is ${state}`,
  });
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
