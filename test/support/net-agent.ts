// The test's end of net-agent.mjs: a process in a throw-away namespace that serves and asks, stopped with the scope.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { patience } from './emulated.ts';
import type { ThrowawayNetns } from './netns.ts';

export type Answer = {
  /** What the server saw. */
  readonly peer?: string;
  readonly peerPort?: number;
  readonly local?: string;
  readonly localPort?: number;
  readonly error?: string;
};

type Target = { readonly proto?: 'tcp' | 'udp'; readonly address: string; readonly port: number };

const program = fileURLToPath(new URL('./net-agent.mjs', import.meta.url));
/** Far more than a connection between two namespaces takes, also on a busy machine. */
const PATIENCE = patience(10_000);

export class NetAgent implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  #count = 0;

  constructor(ns: Pick<ThrowawayNetns, 'name'>) {
    this.#process = spawn('ip', ['netns', 'exec', ns.name, process.execPath, program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      const { id, ...answer } = JSON.parse(line);
      this.#waiting.get(id)?.resolve(answer);
      this.#waiting.delete(id);
    });
    this.#process.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the agent ended'));
    });
  }

  /** Serves the address from now on; every client is told what the server saw of it. */
  async serve({ proto = 'tcp', address, port }: Target): Promise<void> {
    const { error } = await this.#request({ do: 'serve', proto, address, port });
    if (error !== undefined) throw new Error(`serve ${proto} ${address} ${port}: ${error}`);
  }

  /** Connects and returns what the server saw, or why there was no answer within the timeout. */
  ask({ proto = 'tcp', address, port }: Target, timeout = PATIENCE): Promise<Answer> {
    return this.#request({ do: 'ask', proto, address, port, timeout });
  }

  #request(request: object): Promise<Answer> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin.end();
    await ended;
  }
}
