// `nslab capture`: what is to be captured, as the helper reads it (src/helper/capture.c), and the helper while it runs. It holds no
// packet and no socket.

import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { NslabError } from '../base/error.ts';
import type { IpAddress } from '../base/ip.ts';
import { helperPath } from '../kernel/helper.ts';
import {
  compileFilter,
  FILTER_WORDS,
  type Instruction,
  keepAll,
  parseProgram,
} from '../kernel/packet-filter.ts';
import type { Lab } from '../model/lab.ts';
import { codeOf } from '../sys/errno.ts';
import { type Targets, targetLines } from './targets.ts';

export type CaptureRequest = Targets & {
  /** What is told of who wrote the file, `nslab 0.1.0`. */
  readonly application: string;
  /** A path, `-` for stdout; undefined for lines of text. */
  readonly write: string | undefined;
  readonly filter: string | undefined;
  /** Packets; undefined for as many as come. */
  readonly count: number | undefined;
  /** Bytes of each packet. */
  readonly snaplen: number;
  readonly durationMs: number | undefined;
};

type Programs = { readonly ethernet: readonly Instruction[]; readonly others: readonly Instruction[] };

/** pcap-linktype(7): the two kinds of link that tcpdump compiles a filter for. */
const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW = 101;

/**
 * Captures until it is over or interrupted, and returns the exit status.
 * @throws NslabError CAPTURE_FILTER
 */
export async function capture(request: CaptureRequest): Promise<number> {
  const { lab, targets, write, filter, count, snaplen, durationMs, application } = request;
  const programs = filterPrograms(filter, lab, snaplen);
  const option = (name: string, value: string | number | undefined): string[] =>
    value === undefined ? [] : [`--${name}`, String(value)];
  const words = [
    '_capture',
    ...option('lab', lab.name),
    ...option('application', application),
    ...option('write', write),
    ...option('filter', filter),
    ...option('count', count),
    ...option('duration', durationMs),
    ...option('snaplen', snaplen),
  ];
  const lines = [
    ...programLines('ethernet', programs.ethernet),
    ...programLines('others', programs.others),
    ...targetLines(targets),
  ];
  return await runUntilEnd(words, `${lines.join('\n')}\n`);
}

function programLines(link: string, program: readonly Instruction[]): string[] {
  return [
    `filter ${link} ${program.length}`,
    ...program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}`),
  ];
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** A signal goes to the helper, which ends with a whole file; from a terminal it has it already, and twice is fine. */
async function runUntilEnd(words: readonly string[], input: string): Promise<number> {
  const child = spawn(helperPath(), words, { stdio: ['pipe', 'inherit', 'inherit'] });
  let passed = false;
  const passOn = (signal: NodeJS.Signals): void => {
    if (!passed) child.kill(signal);
    passed = true;
  };
  for (const signal of SIGNALS) process.on(signal, passOn);
  try {
    // It may have ended before it has read everything, and says why itself.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    return await new Promise<number>((resolve, reject) => {
      child
        .once('error', reject)
        .once('close', (code, signal) =>
          resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
        );
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, passOn);
  }
}

/** Our own words where they suffice: then nothing else is run, and names of nodes are known. */
function filterPrograms(filter: string | undefined, lab: Lab, snaplen: number): Programs {
  if (filter === undefined || filter.trim() === '') {
    const all = keepAll(snaplen);
    return { ethernet: all, others: all };
  }
  if (/[\0\n]/.test(filter)) throw new NslabError('CAPTURE_FILTER', 'a filter is one line');
  const own = compileFilter(filter, { snaplen, resolve: (name) => addressesOf(lab, name) });
  if (own !== undefined) return { ethernet: own, others: own };
  // What libpcap compiles for a file looks for the tag in the packet, and the kernel keeps it elsewhere.
  if (/\bvlan\b/.test(filter)) {
    throw new NslabError('CAPTURE_FILTER', 'vlan works only among the words that nslab knows itself', {
      hint: FILTER_WORDS,
    });
  }
  const ethernet = tcpdumpProgram(filter, LINKTYPE_ETHERNET, snaplen);
  if (typeof ethernet === 'string')
    throw new NslabError('CAPTURE_FILTER', `the filter means nothing: ${ethernet}`);
  const others = tcpdumpProgram(filter, LINKTYPE_RAW, snaplen);
  // What is only of Ethernet lets nothing of another link through.
  return { ethernet, others: typeof others === 'string' ? keepAll(0) : others };
}

function addressesOf(lab: Lab, name: string): IpAddress[] | undefined {
  const node = lab.nodes.find((one) => one.name === name);
  return node?.interfaces.flatMap((iface) =>
    iface.addresses.map(({ ip }) => String(ip).split('/')[0] as IpAddress),
  );
}

/** The program, or what tcpdump has against the filter. */
function tcpdumpProgram(filter: string, linkType: number, snaplen: number): Instruction[] | string {
  // A capture file without a packet says what link it is about; tcpdump needs no interface then. pcap-savefile(5).
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2_c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(snaplen, 16);
  head.writeUInt32LE(linkType, 20);
  const { status, stdout, stderr, error } = spawnSync(
    'tcpdump',
    ['-ddd', '-n', '-s', String(snaplen), '-r', '-', '--', filter],
    { input: head, encoding: 'utf8', timeout: 30_000 },
  );
  if (error !== undefined && codeOf(error) === 'ENOENT') {
    throw new NslabError('CAPTURE_FILTER', 'the filter needs tcpdump, which is not installed', {
      hint: `apt-get install tcpdump; without it there are: ${FILTER_WORDS}`,
    });
  }
  const program = status === 0 ? parseProgram(stdout) : undefined;
  if (program !== undefined) return program;
  const said = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('reading from file'));
  return said.at(-1)?.replace(/^tcpdump: /, '') ?? error?.message ?? 'tcpdump has failed';
}
