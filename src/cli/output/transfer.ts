// The progress of a pull or a push: a line for each layer that is redrawn on a terminal, a line for each thing that happened
// elsewhere, JSON lines on standard output if asked for. Everything else goes to standard error.

import type { RegistryBlobState, RegistryEvent } from '../../lab/registry.ts';
import { bytesText } from './bytes.ts';
import { count } from './count.ts';
import { visible } from './visible.ts';

export type Transferred = {
  readonly type: 'pulled' | 'pushed';
  readonly name: string;
  readonly digest: string;
};

export type TransferDisplay = {
  readonly event: (event: RegistryEvent) => void;
  /** The answer, and a sentence about it: `words` follows the name. */
  readonly done: (result: Transferred, words: string) => void;
  /** Also after a failure. */
  readonly end: () => void;
};

/** A part of a terminal; a test has its own. */
export type Screen = {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

type Options = {
  readonly quiet: boolean;
  readonly json: boolean;
  readonly out?: Screen;
  readonly err?: Screen;
};

export function transferDisplay({
  quiet,
  json,
  out = process.stdout,
  err = process.stderr,
}: Options): TransferDisplay {
  if (json) return jsonDisplay(out);
  const answer = ({ name }: Transferred): void => void out.write(`${visible(name)}\n`);
  if (quiet) return { event: () => undefined, done: answer, end: () => undefined };
  const lines = err.isTTY === true ? new Bars(err) : new PlainLines(err);
  const start = performance.now();
  return {
    event: (event) => lines.event(event),
    done: (result, words) => {
      lines.end();
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      err.write(`${visible(result.name)} ${words} in ${seconds} s, ${result.digest}\n`);
      answer(result);
    },
    end: () => lines.end(),
  };
}

/** As often as anybody can look. */
const EVERY_MS = 100;

function jsonDisplay(out: Screen): TransferDisplay {
  const last = new Map<string, number>();
  const print = (value: unknown): void => void out.write(`${JSON.stringify(value)}\n`);
  return {
    event: (event) => {
      if (event.type === 'blob' && 'done' in event) {
        const now = performance.now();
        const before = last.get(event.digest);
        if (before !== undefined && now - before < EVERY_MS && event.done < event.size) return;
        last.set(event.digest, now);
      }
      print(event);
    },
    done: print,
    end: () => undefined,
  };
}

type Lines = { event(event: RegistryEvent): void; end(): void };
type Blob = { readonly digest: string; readonly size: number; readonly state: RegistryBlobState };

/** `sha256:4a0f...` as its first twelve digits. */
function short(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

/** The state in words, with no number that changes all the time. */
function wordsOf({ state, size }: Blob): string {
  switch (state.state) {
    case 'there':
      return 'is there already';
    case 'retrying':
      return `${visible(state.reason)}; again in ${(state.pauseMs / 1000).toFixed(1)} s`;
    case 'mounted':
      return `taken from ${visible(state.from)}`;
    case 'downloading':
    case 'uploading':
      return `${state.state} ${bytesText(size)}`;
    case 'waiting':
    case 'downloaded':
    case 'unpacking':
    case 'complete':
      return state.state;
  }
}

/** A line when something changes. */
class PlainLines implements Lines {
  readonly #err: Screen;
  readonly #said = new Map<string, string>();

  constructor(err: Screen) {
    this.#err = err;
  }

  event(event: RegistryEvent): void {
    if (event.type === 'note') this.#err.write(`${visible(event.text)}\n`);
    if (event.type === 'manifest')
      this.#err.write(
        `${visible(event.host)}: ${count(event.blobs.length, 'layer')}, ${short(event.digest)}\n`,
      );
    if (event.type !== 'blob') return;
    const { digest, size, type: _, ...state } = event;
    const words = wordsOf({ digest, size, state });
    if (this.#said.get(digest) === words) return;
    this.#said.set(digest, words);
    this.#err.write(`${short(digest)}: ${words}\n`);
  }

  end(): void {
    // Every line is whole.
  }
}

const WIDTH = 30;

/** All layers at once, redrawn in place. */
class Bars implements Lines {
  readonly #err: Screen;
  readonly #blobs = new Map<string, Blob>();
  /** Lines on the screen that belong to this. */
  #drawn = 0;
  #at = 0;

  constructor(err: Screen) {
    this.#err = err;
  }

  event(event: RegistryEvent): void {
    switch (event.type) {
      case 'note':
        this.#clear();
        this.#err.write(`${visible(event.text)}\n`);
        break;
      case 'manifest':
        for (const { digest, size } of event.blobs)
          this.#blobs.set(digest, { digest, size, state: { state: 'waiting' } });
        break;
      case 'blob': {
        const { digest, size, type: _, ...state } = event;
        this.#blobs.set(digest, { digest, size, state });
        break;
      }
    }
    const now = performance.now();
    if (event.type === 'blob' && 'done' in event && now - this.#at < EVERY_MS) return;
    this.#at = now;
    this.#draw();
  }

  end(): void {
    if (this.#drawn > 0) this.#draw();
    // What is on the screen stays there.
    this.#drawn = 0;
    this.#blobs.clear();
  }

  #clear(): void {
    if (this.#drawn > 0) this.#err.write(`\x1b[${this.#drawn}A\r\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const { columns = 80, rows = 24 } = this.#err;
    const lines = this.#chosen(Math.max(1, rows - 2)).map((line) => line.slice(0, Math.max(1, columns - 1)));
    this.#clear();
    this.#err.write(lines.map((line) => `${line}\n`).join(''));
    this.#drawn = lines.length;
  }

  /** As many as the screen has room for: more could not be redrawn. Those that something happens to come first. */
  #chosen(room: number): string[] {
    const all = [...this.#blobs.values()];
    if (all.length <= room) return all.map(lineOf);
    const busy = all.filter(({ state }) => !['waiting', 'there', 'complete'].includes(state.state));
    const rest = all.length - Math.min(busy.length, room - 1);
    const finished = all.filter(({ state }) => state.state === 'there' || state.state === 'complete').length;
    return [
      ...busy.slice(0, room - 1).map(lineOf),
      `${count(rest, 'more layer')}, ${finished} of ${all.length} complete`,
    ];
  }
}

function lineOf(blob: Blob): string {
  const { digest, size, state } = blob;
  if (!('done' in state)) return `${short(digest)}  ${wordsOf(blob)}`;
  const full = size === 0 ? WIDTH : Math.min(WIDTH, Math.floor((state.done / size) * WIDTH));
  const bar = `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}]`;
  return `${short(digest)}  ${state.state} ${bar} ${bytesText(state.done)} of ${bytesText(size)}`;
}
