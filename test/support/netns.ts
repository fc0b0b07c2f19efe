// Throw-away network namespaces for kernel tests: made with ip-netns(8), so that a test looks at the kernel from outside and
// never through our own reader, and removed when the scope is left, failure or not. Names are unique to the process.

import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { CLONE_NEWNET, setns } from '../../src/sys/libc.ts';

const run = promisify(execFile);
const BIG = { maxBuffer: 256 << 20 } as const;
let count = 0;

// biome-ignore lint/suspicious/noExplicitAny: what `ip -j` prints is read field by field in assertions
export type Json = any;

export type ThrowawayNetns = AsyncDisposable & {
  readonly name: string;
  /** `/run/netns/NAME`, for setns(2) and for IFLA_NET_NS_FD. */
  readonly path: string;
  /** The parsed answer of `ip -j -n NAME ARGS`; arguments in one string, separated by spaces. */
  ip(args: string): Json;
  /** The parsed answer of `bridge -j -n NAME ARGS`. */
  bridge(args: string): Json;
  /** Runs a program inside the namespace and returns its stdout. */
  exec(file: string, ...args: readonly string[]): string;
  /** Runs the synchronous function with this thread inside the namespace: what it opens there stays there. */
  inside<T>(body: () => T): T;
};

function words(args: string): string[] {
  return args.split(' ').filter((word) => word !== '');
}

function json(file: string, args: readonly string[]): Json {
  const text = execFileSync(file, args, { encoding: 'utf8', ...BIG }).trim();
  return text === '' ? [] : JSON.parse(text);
}

/** Runs the synchronous function with this thread in the namespace of the path, and comes back even when it throws. */
export function inNetns<T>(path: string, body: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const there = openSync(path, 'r');
    try {
      setns(there, CLONE_NEWNET);
      try {
        return body();
      } finally {
        setns(home, CLONE_NEWNET);
      }
    } finally {
      closeSync(there);
    }
  } finally {
    closeSync(home);
  }
}

/** Makes a namespace called `PREFIX-PID-N-RANDOM`; `await using` removes it. */
export async function throwawayNetns(prefix = 't-nslab'): Promise<ThrowawayNetns> {
  const name = `${prefix}-${process.pid}-${count++}-${randomBytes(2).toString('hex')}`;
  await run('ip', ['netns', 'add', name]);
  const path = `/run/netns/${name}`;
  return {
    name,
    path,
    ip: (args) => json('ip', ['-j', '-n', name, ...words(args)]),
    bridge: (args) => json('bridge', ['-j', '-n', name, ...words(args)]),
    exec: (file, ...args) =>
      execFileSync('ip', ['netns', 'exec', name, file, ...args], { encoding: 'utf8', ...BIG }),
    inside: (body) => inNetns(path, body),
    async [Symbol.asyncDispose]() {
      await run('ip', ['netns', 'del', name]);
    },
  };
}
