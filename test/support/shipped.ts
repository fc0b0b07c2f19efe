// The shipped topologies, with what a test must know to bring one up: which features of the kernel it needs, and what of the
// machine it expects (a network card, for one).

import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { TestContext } from 'node:test';
import { qdiscOf } from '../../src/model/impairment.ts';
import type { Impairment, Lab } from '../../src/model/lab.ts';
import { loadLab } from '../../src/topology/load.ts';
import { patience } from './emulated.ts';
import { root } from './nslab.ts';
import { hasLinkKind, hasNetem, skipKernelLacks } from './skip.ts';

export type ShippedTopology = {
  readonly name: string;
  /** Relative to the checkout, as a user types it. */
  readonly file: string;
  readonly load: () => { readonly lab: Lab; readonly vars: readonly string[] };
  /** Makes what the topology takes for granted, until the scope is left. */
  readonly stage: (how?: Stage) => AsyncDisposable;
};

type Stage = 'used' | 'plain';

/** The end of a wire that plays a network card of the machine. */
export const NIC = 'nslabtnic0';

const vars: Readonly<Record<string, readonly string[]>> = { physical: [`NIC=${NIC}`] };
const stages: Readonly<Record<string, ShippedTopology['stage']>> = { physical: madeNic };

export function shippedTopologies(): ShippedTopology[] {
  const names = readdirSync(join(root, 'topologies')).filter((name) => name.endsWith('.yaml'));
  return names.sort().map((yaml) => {
    const name = basename(yaml, '.yaml');
    const file = `topologies/${yaml}`;
    const own = vars[name] ?? [];
    const load = () => {
      const given = Object.fromEntries(own.map((word) => word.split('=') as [string, string]));
      return { lab: loadLab({ path: join(root, file), env: {}, vars: given }).lab, vars: own };
    };
    return { name, file, load, stage: stages[name] ?? nothing };
  });
}

function nothing(): AsyncDisposable {
  return { async [Symbol.asyncDispose]() {} };
}

function ip(...words: string[]): void {
  execFileSync('ip', words);
}

function tentative(dev: string): boolean {
  return (
    execFileSync('ip', ['-6', 'addr', 'show', 'dev', dev, 'tentative'], { encoding: 'utf8' }).trim() !== ''
  );
}

const settings = [
  ['ipv6/conf/NIC/disable_ipv6', '1'],
  ['ipv4/conf/NIC/rp_filter', '2'],
  ['ipv4/neigh/NIC/gc_stale_time', '77'],
] as const;

/**
 * A wire on the machine, one end of which plays a network card. `used` is one that somebody has set up: no IPv6, an address, a
 * route. The other has only what the kernel gives it, a link-local address, once that is sure to be nobody else's.
 */
function madeNic(how: Stage = 'used'): AsyncDisposable {
  ip(
    'link',
    'add',
    NIC,
    'address',
    '02:00:5e:00:00:01',
    'mtu',
    '1400',
    'type',
    'veth',
    'peer',
    'name',
    `${NIC}b`,
  );
  for (const end of [NIC, `${NIC}b`]) {
    if (how === 'used') {
      for (const [key, value] of settings) writeFileSync(`/proc/sys/net/${key.replace('NIC', end)}`, value);
    }
    ip('link', 'set', end, 'up');
  }
  if (how === 'used') {
    ip('addr', 'add', '10.5.9.1/24', 'dev', NIC);
    ip('route', 'add', '10.5.10.0/24', 'via', '10.5.9.2', 'dev', NIC, 'metric', '7');
  }
  const deadline = Date.now() + patience(5000);
  while (tentative(NIC) || tentative(`${NIC}b`)) {
    if (Date.now() > deadline) throw new Error(`${NIC} has a tentative address for 5 s`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
  return {
    async [Symbol.asyncDispose]() {
      ip('link', 'del', NIC);
    },
  };
}

/** Skips the test when the running kernel has not all that the lab is made of. */
export function skipUnlessKernelCan(t: TestContext, lab: Lab): boolean {
  if (lab.links.some(({ impair }) => impair.some(isNetem)) && !hasNetem()) {
    skipKernelLacks(t, 'netem');
    return true;
  }
  const always = ['veth', 'bridge', 'loopback', 'physical'];
  for (const iface of lab.nodes.flatMap((node) => node.interfaces)) {
    if (!always.includes(iface.type) && !hasLinkKind(iface.type)) {
      skipKernelLacks(t, iface.type);
      return true;
    }
    if (iface.type === 'bridge' && iface.vlan_filtering === true && !hasVlanFiltering()) {
      skipKernelLacks(t, 'bridge vlan_filtering');
      return true;
    }
  }
  return false;
}

function isNetem(impairment: Impairment | undefined): boolean {
  return impairment !== undefined && qdiscOf(impairment)?.kind === 'netem';
}

let vlanFiltering: boolean | undefined;

export function hasVlanFiltering(): boolean {
  if (vlanFiltering === undefined) {
    const script = 'ip link add b0 type bridge && ip link set b0 type bridge vlan_filtering 1';
    try {
      execFileSync('unshare', ['-n', 'sh', '-c', script], { stdio: 'ignore' });
      vlanFiltering = true;
    } catch {
      vlanFiltering = false;
    }
  }
  return vlanFiltering;
}
