// Skips with a reason. A skip is allowed only when the running kernel or the machine lacks a feature; NSLAB_MUST_RUN turns
// every other one into a failure (bubblewrap's BWRAP_MUST_WORK is the model).

import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';

type Suite = 'unit' | 'kernel' | 'e2e' | 'vm';

/** True when this run may not skip tests of the suite for want of a tool or of privileges. */
export function mustRun(suite: Suite): boolean {
  return (process.env['NSLAB_MUST_RUN'] ?? '').split(',').includes(suite);
}

/** Skips the test unless we are root; under NSLAB_MUST_RUN it fails instead. */
export function skipUnlessRoot(t: TestContext, suite: Suite = 'kernel'): boolean {
  if (process.geteuid?.() === 0) return false;
  if (mustRun(suite)) throw new Error('root is needed, and NSLAB_MUST_RUN forbids skipping');
  t.skip('needs root');
  return true;
}

/**
 * Skips the test when the kernel does not have the kind of link: the one skip that NSLAB_MUST_RUN accepts, because the same
 * test then runs under `npm run test:vm`.
 */
export function skipUnlessLinkKind(t: TestContext, kind: string): boolean {
  if (hasLinkKind(kind)) return false;
  t.skip(`kernel lacks: ${kind}`);
  return true;
}

const known = new Map<string, boolean>();

/** Asks the kernel itself, in a network namespace of its own, so that nothing is left whatever happens. */
export function hasLinkKind(kind: string): boolean {
  const before = known.get(kind);
  if (before !== undefined) return before;
  const extra: Record<string, string> = {
    vlan: 'id 5',
    vxlan: 'id 5 dstport 4789',
    macvlan: '',
    ipvlan: '',
    vrf: 'table 10',
    gre: 'local 127.0.0.1 remote 127.0.0.2',
  };
  const parent = ['vlan', 'macvlan', 'ipvlan'].includes(kind);
  const script = `ip link add b0 type bridge && ip link add x0 ${parent ? 'link b0' : ''} type ${kind} ${extra[kind] ?? ''}`;
  let has = true;
  try {
    execFileSync('unshare', ['-n', 'sh', '-c', script], { stdio: 'ignore' });
  } catch {
    has = false;
  }
  known.set(kind, has);
  return has;
}

/** Skips for another missing kernel feature, with the reason that NSLAB_MUST_RUN accepts. */
export function skipKernelLacks(t: TestContext, feature: string): void {
  t.skip(`kernel lacks: ${feature}`);
}

let netem: boolean | undefined;

/** True where the kernel has the queueing discipline that delays and loses packets. */
export function hasNetem(): boolean {
  if (netem === undefined) {
    try {
      const script = 'ip link set lo up && tc qdisc add dev lo root netem delay 1ms';
      execFileSync('unshare', ['-n', 'sh', '-c', script], { stdio: 'ignore' });
      netem = true;
    } catch {
      netem = false;
    }
  }
  return netem;
}
