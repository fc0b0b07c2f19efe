// One try of one test: what is asked, what came back, and whether that is what the file expects.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { IpAddress } from '../base/ip.ts';
import type { Ask } from '../diagnose/walk.ts';
import { helperExec } from '../kernel/helper.ts';
import type { TestProbe, TestSpec } from '../model/test-spec.ts';
import { enterNetns, isNetns, openOwnNetns, withNetnsFd } from '../netns/pin.ts';
import { type HttpAnswer, httpRequest, parseHttpAnswer, parseHttpUrl } from '../probe/http.ts';
import type { Prober } from '../probe/prober.ts';
import type { ProbeReply, ProbeRequest } from '../probe/protocol.ts';
import { type AddressBook, netnsNamed, type Subject } from './test-subject.ts';

export type Attempt = {
  readonly passed: boolean;
  /** What was found, in a line: `answer in 0.08 ms`, `no answer in 2 s`. */
  readonly found: string;
  /** What to walk when this should have worked: absent where the network did its part. */
  readonly lost?: Omit<Ask, 'from'>;
};

export type Means = {
  readonly subject: Subject;
  readonly book: AddressBook;
  readonly prober: Prober;
  /** Milliseconds that an answer may take. */
  readonly timeout: number;
};

/** How long one waits for nothing. */
const SILENCE_MS = 1000;
/** A command that does not end is ended. */
export const COMMAND_MS = 30_000;
/** So much of what a command prints is kept. */
const OUTPUT_MAX = 1 << 20;
/** What ping(8) sends. */
const ECHO_BYTES = 56;
const DNS_PORT = 53;

export async function attempt(spec: TestSpec, means: Means): Promise<Attempt> {
  const { probe, expect } = spec;
  if (probe.kind === 'run') {
    if (!isThere(spec, means)) return { passed: false, found: words['ENOENT'] ?? '' };
    return judgeCommand(await runCommand(spec, probe.command, means), expect);
  }
  const target = targetOf(probe);
  if (target === undefined) return { passed: false, found: 'an address that is not asked: only http:// is' };
  const address = await means.book.find(target.host, spec.from);
  if (address === undefined)
    return { passed: false, found: `${target.host} is no address and no name that ${spec.from} knows` };
  const timeout = expect === 'unreachable' ? Math.min(SILENCE_MS, means.timeout) : means.timeout;
  const netns = netnsNamed(spec.from, means.subject.lab);
  const reply = await means.prober.ask(requestOf(probe, { netns, timeout, address, target }));
  return judgeReply(reply, { spec, address, port: target.port, timeout });
}

type Target = { readonly host: string; readonly port: number; readonly request?: Uint8Array };

function targetOf(probe: Exclude<TestProbe, { kind: 'run' }>): Target | undefined {
  switch (probe.kind) {
    case 'ping':
      return { host: probe.target, port: 0 };
    case 'tcp':
    case 'udp': {
      const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:\s]+)):([0-9]+)$/.exec(probe.target) ?? [];
      const host = bracketed ?? plain;
      return host === undefined ? undefined : { host, port: Number(port) };
    }
    case 'http': {
      const url = parseHttpUrl(probe.url);
      return url === undefined ? undefined : { host: url.host, port: url.port, request: httpRequest(url) };
    }
  }
}

type Where = {
  readonly netns: string | null;
  readonly timeout: number;
  readonly address: IpAddress;
  readonly target: Target;
};

function requestOf(probe: TestProbe, { netns, timeout, address, target }: Where): ProbeRequest {
  const base = { netns, timeout, address };
  const { port, request } = target;
  switch (probe.kind) {
    case 'ping':
      return { ...base, kind: 'icmp', payload: Buffer.alloc(ECHO_BYTES, 'nslab ') };
    case 'udp':
      return {
        ...base,
        kind: 'udp',
        port,
        payload: port === DNS_PORT ? dnsQuestion() : Buffer.from('nslab\n'),
      };
    default:
      return { ...base, kind: 'tcp', port, ...(request === undefined ? {} : { payload: request }) };
  }
}

/** Who the root servers are (RFC 1035): a name server answers nothing but questions. */
function dnsQuestion(): Buffer {
  return Buffer.from('6e73010000010000000000000000020001', 'hex');
}

type Judged = {
  readonly spec: TestSpec;
  readonly address: IpAddress;
  readonly port: number;
  readonly timeout: number;
};

function judgeReply(reply: ProbeReply, { spec, address, port, timeout }: Judged): Attempt {
  const { probe, expect } = spec;
  const answer = probe.kind === 'http' ? parseHttpAnswer(reply.data) : undefined;
  const reached = probe.kind === 'http' ? answer !== undefined : reply.state === 'answer';
  const found =
    answer === undefined
      ? describe(reply, { address, timeout, http: probe.kind === 'http' })
      : describeHttp(answer);
  // A probe that could not be sent says nothing of the network.
  if (isOwnFault(reply)) return { passed: false, found };
  if (expect === 'unreachable') return { passed: !reached, found };
  if (!reached) {
    const proto = probe.kind === 'ping' ? 'icmp' : probe.kind === 'udp' ? 'udp' : 'tcp';
    const silent = reply.state === 'answer' && answer === undefined;
    const long = reply.state === 'cut';
    return silent
      ? { passed: false, found }
      : { passed: false, found, lost: { to: bareAddress(address), proto, port, long } };
  }
  if (answer === undefined) return { passed: true, found };
  const wanted = expect === 'ok' ? {} : expect;
  const statusFits = wanted.status === undefined ? answer.status < 400 : answer.status === wanted.status;
  const bodyFits = answer.body.includes(wanted.stdout ?? '');
  return {
    passed: statusFits && bodyFits,
    found: bodyFits
      ? found
      : `${found}, without ${quoteShort(wanted.stdout ?? '')} in ${quoteShort(answer.body)}`,
  };
}

/** Without the zone of a link-local address. */
function bareAddress(address: IpAddress): IpAddress {
  return address.replace(/%.*$/, '') as IpAddress;
}

/** Errors of sockets and of memory, not of the way. */
function isOwnFault({ code }: ProbeReply): boolean {
  return code !== undefined && ['ENOENT', 'EMFILE', 'ENFILE', 'ENOBUFS', 'EINVAL', 'ENOMEM'].includes(code);
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  EACCES: 'prohibited',
  EPERM: 'not sent: a rule of its own forbids it',
  ECONNRESET: 'reset',
  EMSGSIZE: 'too long for the way',
  ENOENT: 'the namespace is not there',
  EADDRNOTAVAIL: 'no address to send from',
  EINVAL: 'not an address that can be asked',
};

function describe(
  reply: ProbeReply,
  { address, timeout, http }: { address: string; timeout: number; http: boolean },
): string {
  const seconds = `${Number((timeout / 1000).toFixed(1))} s`;
  switch (reply.state) {
    case 'answer':
      if (http) return 'an answer that is not HTTP';
      return `answer in ${(reply.micros / 1000).toFixed(2)} ms`;
    case 'silence':
      return `no answer in ${seconds}`;
    case 'cut':
      return reply.data.length === 0
        ? `connected, and nothing came in ${seconds}`
        : 'an answer that is not HTTP';
    case 'error': {
      const word = words[reply.code ?? ''] ?? reply.code ?? 'error';
      const { icmp } = reply;
      return icmp === undefined || icmp.from === address ? word : `${word}, says ${icmp.from}`;
    }
  }
}

function describeHttp({ status }: HttpAnswer): string {
  return `status ${status}`;
}

type Done = { readonly status: number | undefined; readonly stdout: string; readonly words: string };

function judgeCommand({ status, stdout, words: printed }: Done, expect: TestSpec['expect']): Attempt {
  const wanted = typeof expect === 'string' ? {} : expect;
  if (status === undefined) return { passed: false, found: `did not end in ${COMMAND_MS / 1000} s` };
  const isExit = status === (wanted.exit ?? 0);
  const isOutput = stdout.includes(wanted.stdout ?? '');
  const said = printed.trim() === '' ? '' : `: ${quoteShort(printed.trim())}`;
  const found =
    isExit && !isOutput
      ? `exit ${status}, without ${quoteShort(wanted.stdout ?? '')}${said}`
      : `exit ${status}${isExit ? '' : said}`;
  return { passed: isExit && isOutput, found };
}

/** One line of it, short enough for a table. */
function quoteShort(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return JSON.stringify(line.length > 100 ? `${line.slice(0, 97)}...` : line);
}

async function runCommand(spec: TestSpec, command: string, { subject }: Means): Promise<Done> {
  const child = startCommand(spec, command, subject);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (stdout.length < OUTPUT_MAX) stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < OUTPUT_MAX) stderr += text;
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end(child);
  }, COMMAND_MS);
  const status = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    // Not `close`: a server that the command leaves behind keeps its output open.
    child.on('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
  clearTimeout(timer);
  // What was printed last is still on its way.
  await new Promise((resolve) => setTimeout(resolve, 5));
  for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  return { status: late ? undefined : status, stdout, words: stderr === '' ? stdout : stderr };
}

/** Of a lab that is up the helper says what is missing. */
function isThere({ from }: TestSpec, { subject }: Means): boolean {
  const netns = netnsNamed(from, subject.lab);
  return subject.isUp || netns === null || isNetns(netns);
}

function startCommand(spec: TestSpec, command: string, subject: Subject): ChildProcess {
  const options = { stdio: ['ignore', 'pipe', 'pipe'] as ('ignore' | 'pipe')[], detached: true };
  if (subject.isUp) {
    const [file, ...args] = helperExec(subject.lab.name, spec.from, ['/bin/sh', '-c', command]);
    return spawn(file, args, options);
  }
  const netns = netnsNamed(spec.from, subject.lab);
  if (netns === null) return spawn('/bin/sh', ['-c', command], options);
  // A child is born in the namespace of the thread that forks.
  const home = openOwnNetns();
  try {
    return withNetnsFd(netns, (fd) => {
      enterNetns(fd);
      return spawn('/bin/sh', ['-c', command], options);
    });
  } finally {
    enterNetns(home);
    closeSync(home);
  }
}

/** With all that it has started. */
function end({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}
