// Does what an entry of a topology's `tests:` says, with the tools of the machine: ping(8) and Node's own sockets, inside the
// node by `nslab exec`. It is the tests' yardstick for labs, so it shares nothing with nslab's own probes.

import { setTimeout as wait } from 'node:timers/promises';
import type { TestSpec } from '../../src/model/test-spec.ts';
import type { Run, UpLab } from './nslab.ts';

export type Outcome = { readonly ok: boolean; readonly detail: string };

/** How long a packet that is to be answered may take, and how long one waits for none. Seconds. */
const ANSWER_S = 5;
const SILENCE_S = 1;

const connectScript = `
const [host, port, timeout] = process.argv.slice(1);
const socket = require('node:net').connect({ host, port: Number(port) });
const end = (status, word) => { process.stdout.write(word); process.exit(status); };
setTimeout(() => end(1, 'TIMEOUT'), Number(timeout) * 1000);
socket.on('connect', () => end(0, 'connected')).on('error', (error) => end(1, error.code));
`;

/** Connects from inside the node; stdout is `connected`, `ECONNREFUSED`, `TIMEOUT`, ... */
export function connect(lab: UpLab, from: string, to: { host: string; port: number; timeout?: number }): Run {
  const words = [to.host, String(to.port), String(to.timeout ?? ANSWER_S)];
  return lab.exec(from, process.execPath, '-e', connectScript, ...words);
}

/** One try. */
function attempt(lab: UpLab, { from, probe, expect }: TestSpec): Outcome {
  const seconds = expect === 'unreachable' ? SILENCE_S : ANSWER_S;
  switch (probe.kind) {
    case 'ping':
      return judge(lab.exec(from, 'ping', '-n', '-c', '1', '-W', String(seconds), probe.target), expect);
    case 'tcp': {
      const [, host = '', port = ''] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(probe.target) ?? [];
      return judge(connect(lab, from, { host, port: Number(port), timeout: seconds }), expect);
    }
    case 'run':
      return judge(lab.exec(from, 'sh', '-c', probe.command), expect);
    case 'udp':
    case 'http':
      throw new Error(`no topology has a ${probe.kind} test yet`);
  }
}

function judge({ status, stdout, stderr }: Run, expect: TestSpec['expect']): Outcome {
  const detail = `status ${status}\n${stdout}${stderr}`;
  // 126 and above: the probe itself could not run, which says nothing about the network.
  if (status >= 126) return { ok: false, detail };
  if (expect === 'ok') return { ok: status === 0, detail };
  if (expect === 'unreachable') return { ok: status !== 0, detail };
  const exit = status === (expect.exit ?? 0);
  return { ok: exit && stdout.includes(expect.stdout ?? ''), detail };
}

/** Tries until the test holds or its `within` is over. */
export async function probe(lab: UpLab, spec: TestSpec): Promise<Outcome> {
  const deadline = Date.now() + spec.within;
  for (;;) {
    const outcome = attempt(lab, spec);
    if (outcome.ok || Date.now() >= deadline) return outcome;
    await wait(50);
  }
}
