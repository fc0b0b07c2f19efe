// One process of the helper that asks for us, in as many namespaces as there are (src/helper/probe.c).

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { encodeRequest, type ProbeReply, type ProbeRequest, parseReply } from './protocol.ts';

/** Sockets that are open at once, well under the usual limit of files. */
const AT_ONCE = 512;

type Waiting = {
  readonly request: ProbeRequest;
  readonly resolve: (reply: ProbeReply) => void;
  readonly reject: (error: Error) => void;
};

/** Asks any number of questions at the same time. */
export class Prober implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #asked = new Map<number, Waiting>();
  readonly #queue: Waiting[] = [];
  readonly #ended: Promise<void>;
  #words = '';
  #next = 0;
  #failure: Error | undefined;

  /** @param helper the path of nslab-helper */
  constructor(helper: string) {
    this.#child = spawn(helper, ['_probe'], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#words += text;
    });
    // It may end before it has read all; what it said is told at its end.
    this.#child.stdin.on('error', () => undefined);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#answered(line));
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (error) => this.#fail(error));
      this.#child.on('close', (status, signal) => {
        this.#fail(new Error(`nslab-helper _probe ended with ${signal ?? status}: ${this.#words.trim()}`));
        resolve();
      });
    });
  }

  /** Never rejects for what the network does; only when the helper itself ends. */
  async ask(request: ProbeRequest): Promise<ProbeReply> {
    return await new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#queue.push({ request, resolve, reject });
      this.#send();
    });
  }

  /** Lets it answer what was asked, and ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }

  #send(): void {
    let text = '';
    while (this.#asked.size < AT_ONCE) {
      const waiting = this.#queue.shift();
      if (waiting === undefined) break;
      const id = this.#next++;
      this.#asked.set(id, waiting);
      text += encodeRequest(id, waiting.request);
    }
    if (text !== '') this.#child.stdin.write(text);
  }

  #answered(line: string): void {
    const answer = parseReply(line);
    const waiting = answer === undefined ? undefined : this.#asked.get(answer.id);
    if (answer === undefined || waiting === undefined) {
      this.#fail(new Error(`nslab-helper _probe said ${JSON.stringify(line)}`));
      return;
    }
    this.#asked.delete(answer.id);
    waiting.resolve(answer.reply);
    this.#send();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiting of [...this.#asked.values(), ...this.#queue.splice(0)]) waiting.reject(this.#failure);
    this.#asked.clear();
  }
}
