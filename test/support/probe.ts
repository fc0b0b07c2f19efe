// Does what an entry of a topology's `tests:` says, with the tools of the machine: ping(8) and bash's /dev/tcp, inside the
// node by `nslab exec`. It is the tests' yardstick for labs, so it shares nothing with nslab's own probes.

import { setTimeout as wait } from 'node:timers/promises';
import type { TestSpec } from '../../src/model/test-spec.ts';
import { patience } from './emulated.ts';
import type { Run, UpLab } from './nslab.ts';

export type Outcome = { readonly ok: boolean; readonly detail: string };

/** How long a packet that is to be answered may take, and how long one waits for none. Seconds. */
const ANSWER_S = patience(5000) / 1000;
const SILENCE_S = 1;

/** What bash prints, as the error codes of errno(3). */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/: Connection refused$/m, 'ECONNREFUSED'],
  [/: No route to host$/m, 'EHOSTUNREACH'],
  [/: Network is unreachable$/m, 'ENETUNREACH'],
];
/** Of timeout(1). */
const TIMED_OUT = 124;

/** Connects from inside the node; stdout is `connected`, `ECONNREFUSED`, `TIMEOUT`, ... */
export function connect(lab: UpLab, from: string, to: { host: string; port: number; timeout?: number }): Run {
  const bash = ['bash', '-c', 'LC_ALL=C; exec 3<>"/dev/tcp/$0/$1"', to.host, String(to.port)];
  const done = lab.exec(from, 'timeout', String(to.timeout ?? ANSWER_S), ...bash);
  if (done.status === 0) return { ...done, stdout: 'connected' };
  if (done.status === TIMED_OUT) return { ...done, status: 1, stdout: 'TIMEOUT' };
  const [, code = ''] = refusals.find(([words]) => words.test(done.stderr)) ?? [];
  return { ...done, stdout: code };
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
  const deadline = Date.now() + patience(spec.within);
  for (;;) {
    const outcome = attempt(lab, spec);
    if (outcome.ok || Date.now() >= deadline) return outcome;
    await wait(50);
  }
}
