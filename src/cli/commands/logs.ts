// `nslab logs`: what a container has printed, on the stream on which it printed it. To a terminal its bytes are made harmless:
// they could be escape sequences that the container chose.

import { NslabError } from '../../base/error.ts';
import { findContainer, stateOf } from '../../lab/containers.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { type LogLine, parseTime, readLog } from '../../lab/logs.ts';
import { visible } from '../output/visible.ts';

type Args = {
  node: string;
  lab?: string;
  follow: boolean;
  tail?: string;
  since?: string;
  until?: string;
  timestamps: boolean;
};

export async function run({ node, lab, follow, tail, since, until, timestamps }: Args): Promise<void> {
  assertRoot('logs');
  const container = findContainer(node, lab);
  const start = Date.now();
  const end = until === undefined ? undefined : parseTime(until, start);
  const isAlive = (): boolean => {
    const status = stateOf(container)?.status;
    return status !== undefined && status !== 'exited' && status !== 'dead';
  };
  const out = { stdout: new Printer(process.stdout), stderr: new Printer(process.stderr) };
  const log = readLog({
    folder: container.files,
    tail: tailCount(tail),
    since: since === undefined ? undefined : parseTime(since, start),
    until: end,
    goOn: () => follow && isAlive() && (end === undefined || new Date().toISOString() < end),
  });
  // A reader that has seen enough, `head` for one, closes the pipe.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  for await (const lines of log) {
    for (const line of lines) out[line.stream].print(line, timestamps);
    await Promise.all([out.stdout.flush(), out.stderr.flush()]);
  }
}

function tailCount(text: string | undefined): number | undefined {
  if (text === undefined || text === 'all') return undefined;
  if (/^[0-9]+$/.test(text)) return Number(text);
  throw new NslabError('USAGE', `--tail ${text}: a number of lines is needed, or all`);
}

class Printer {
  readonly #stream: NodeJS.WriteStream;
  #chunks: Buffer[] = [];
  #inLine = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  print({ time, text, partial }: LogLine, timestamps: boolean): void {
    if (timestamps && !this.#inLine) this.#chunks.push(Buffer.from(`${time} `));
    this.#chunks.push(this.#stream.isTTY === true ? Buffer.from(forTerminal(text)) : text);
    if (!partial) this.#chunks.push(Buffer.from('\n'));
    this.#inLine = partial;
  }

  async flush(): Promise<void> {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [];
    if (all.length === 0 || this.#stream.write(all)) return;
    await new Promise((resolve) => this.#stream.once('drain', resolve));
  }
}

/** Tabs stay, and the carriage return that a container with a terminal ends its lines with goes. */
function forTerminal(text: Buffer): string {
  return text.toString('utf8').replace(/\r$/, '').split('\t').map(visible).join('\t');
}
