// What containerlab does of itself with a Linux node, in nslab's words: the management network, its privileges, its terminal, commands
// without a shell whose failure is told and stops nothing. Only for files with containerlab's `topology:` wrapper; in others a node
// is what it says. Vocabulary: containerlab's manual, "nodes", "network", "kinds/linux".

import { shellWords } from '../base/shell-words.ts';
import type { Path } from './problems.ts';

export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a node is told with: where its keys are, and who hears of what cannot be honoured. */
export type NodeSpot = {
  readonly name: string;
  /** Of the management network, or undefined where the node is not in it. */
  readonly network: string | undefined;
  /** The folder that containerlab makes for the lab, `clab-NAME`. */
  readonly folder: string;
  /** How many links end at the node. */
  readonly links: number;
  /** A key of the new tree that stands elsewhere in the file. */
  readonly moved: (ours: Path, theirs: Path) => void;
  readonly refuse: (key: Path, hint: string) => void;
};

/** Of the management network: what a container is called in it and which addresses it has there. */
const memberships = { 'mgmt-ipv4': 'ipv4_address', 'mgmt-ipv6': 'ipv6_address', aliases: 'aliases' } as const;

export function isContainer(node: Mapping): boolean {
  return node['image'] !== undefined || node['rootfs'] !== undefined;
}

/** True for a node that containerlab plugs into its management network. */
export function isManaged(node: Mapping): boolean {
  const mode = node['network-mode'] ?? node['network_mode'];
  return isContainer(node) && node['networks'] === undefined && (mode === undefined || mode === 'bridge');
}

/** The node with everything that containerlab would add; keys of containerlab that are left are translated one by one afterwards. */
export function asThere(node: Mapping, spot: NodeSpot): Mapping {
  const made: Record<string, unknown> = { ...node };
  commands(made);
  if (!isContainer(node)) return made;
  manage(made, spot);
  binds(made, spot);
  environment(made, spot);
  healthcheck(made, spot);
  stages(made, spot);
  // There every node is privileged and has a terminal. In a user namespace of its own nobody is privileged.
  if (made['userns'] === undefined) made['privileged'] ??= true;
  if (node['image'] !== undefined) {
    made['tty'] ??= true;
    if (made['restart-policy'] === undefined) made['restart'] ??= 'always';
  }
  return made;
}

/** There a command is split into words and run without a shell, and one that fails is a line in the log. */
function commands(node: Record<string, unknown>): void {
  if (!Array.isArray(node['exec'])) return;
  node['exec_failure'] ??= 'tell';
  node['exec'] = node['exec'].map((command) => {
    if (typeof command !== 'string') return command;
    const words = shellWords(command);
    // What only a shell can do is left to one.
    return words.ok && words.value.length > 0 ? words.value : command;
  });
}

function manage(node: Record<string, unknown>, { network, moved }: NodeSpot): void {
  if (network === undefined) return;
  const membership: Record<string, unknown> = {};
  for (const [theirs, ours] of Object.entries(memberships)) {
    if (node[theirs] === undefined) continue;
    membership[ours] = node[theirs];
    delete node[theirs];
    moved(['networks', network, ours], [theirs]);
  }
  delete node['network-mode'];
  delete node['network_mode'];
  node['networks'] = { [network]: membership };
}

/** A path alone is a volume without a name; `__clabNodeDir__` and `__clabDir__` are folders beside the file. */
function binds(node: Record<string, unknown>, { name, folder, moved }: NodeSpot): void {
  const list = node['binds'];
  if (!Array.isArray(list)) return;
  const kept: unknown[] = [];
  const volumes = Array.isArray(node['volumes']) ? [...(node['volumes'] as unknown[])] : [];
  for (const [index, bind] of list.entries()) {
    if (typeof bind === 'string' && !bind.includes(':')) {
      moved(['volumes', volumes.length], ['binds', index]);
      volumes.push(bind);
    } else {
      if (kept.length !== index) moved(['binds', kept.length], ['binds', index]);
      kept.push(
        typeof bind === 'string'
          ? bind.replace(/^__clabNodeDir__/, `./${folder}/${name}`).replace(/^__clabDir__/, `./${folder}`)
          : bind,
      );
    }
  }
  node['binds'] = kept;
  if (volumes.length > 0) node['volumes'] = volumes;
}

/** `__IMPORT_ENVS` would bring all variables of the caller; labels and the number of interfaces are there as variables. */
function environment(node: Record<string, unknown>, { links, refuse }: NodeSpot): void {
  const env = node['env'] ?? {};
  if (!isMapping(env)) return;
  if (env['__IMPORT_ENVS'] !== undefined)
    refuse(['env', '__IMPORT_ENVS'], 'name the variables, as A: $' + '{A}');
  const labels = isMapping(node['labels']) ? node['labels'] : {};
  const own = Object.entries(labels).map(([key, value]) => [
    `CLAB_LABEL_${key.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`,
    String(value),
  ]);
  const { __IMPORT_ENVS: _, ...rest } = env as Record<string, unknown>;
  node['env'] = { CLAB_INTFS: String(links), ...Object.fromEntries(own), ...rest };
}

const healthKeys: Readonly<Record<string, string>> = {
  'start-period': 'start_period',
  'start-interval': 'start_interval',
};

/** There times are seconds. */
function healthcheck(node: Record<string, unknown>, { moved }: NodeSpot): void {
  const check = node['healthcheck'];
  if (!isMapping(check)) return;
  node['healthcheck'] = Object.fromEntries(
    Object.entries(check).map(([key, value]) => {
      const ours = Object.hasOwn(healthKeys, key) ? (healthKeys[key] ?? key) : key;
      if (ours !== key) moved(['healthcheck', ours], ['healthcheck', key]);
      return [ours, typeof value === 'number' && ours !== 'retries' ? `${value}s` : value];
    }),
  );
}

const conditions: Readonly<Record<string, string>> = {
  create: 'service_started',
  'create-links': 'service_started',
  configure: 'service_started',
  healthy: 'service_healthy',
  exit: 'service_completed_successfully',
};

/** `stages` with nothing but `wait-for` in them are `depends_on`. */
function stages(node: Record<string, unknown>, { moved, refuse }: NodeSpot): void {
  const file = node['stages'];
  if (!isMapping(file)) return;
  delete node['stages'];
  const waits: Record<string, unknown> = isMapping(node['depends_on']) ? { ...node['depends_on'] } : {};
  for (const [stage, settings] of Object.entries(file)) {
    if (!isMapping(settings)) continue;
    for (const [key, value] of Object.entries(settings)) {
      const path: Path = ['stages', stage, key];
      if (key !== 'wait-for' || !Array.isArray(value)) {
        refuse(path, 'of stages nslab knows `wait-for`; commands of a node are its `exec`');
        continue;
      }
      for (const [index, wait] of value.entries()) {
        const other = isMapping(wait) ? wait['node'] : undefined;
        const until = isMapping(wait) ? String(wait['stage']) : '';
        const condition = Object.hasOwn(conditions, until) ? conditions[until] : undefined;
        if (typeof other !== 'string' || condition === undefined) {
          refuse([...path, index], `write a node and its stage: ${Object.keys(conditions).join(', ')}`);
          continue;
        }
        waits[other] = { condition };
        moved(['depends_on', other], [...path, index]);
      }
    }
  }
  if (Object.keys(waits).length > 0) node['depends_on'] = waits;
}

/** Keys of a node that only names a bridge of the machine, and say nothing that matters. */
export const bridgeNodeKeys = new Set(['kind', 'group', 'labels', 'position', 'description']);

export type Management = {
  readonly name: string;
  /** In nslab's words. */
  readonly file: Mapping;
  /** What of it stands where under `mgmt`. */
  readonly origins: readonly (readonly [ours: Path, theirs: Path])[];
};

/** Which keys of `mgmt` nslab has no word for, and what to say. */
const mgmtHints: Readonly<Record<string, string>> = {
  bridge: 'the bridge is called br-LAB-NETWORK',
  mtu: 'its wires have 1500',
  'external-access': 'from outside the machine only published `ports` are reached',
  'driver-opts': 'they are of Docker',
  'skip-create': 'the network is always the own one of the lab',
};

/** containerlab's own choice, where a node asks for an address and the file has no subnet. */
const THEIR_SUBNET = { 4: '172.20.20.0/24', 6: '3fff:172:20:20::/64' } as const;

/** `mgmt`, as a network of nslab's. A subnet that nobody chose is a free one. */
export function management(
  mgmt: unknown,
  { wants4, wants6 }: { readonly wants4: boolean; readonly wants6: boolean },
  warn: (path: Path, key: string, hint: string) => void,
): Management {
  const given = isMapping(mgmt) ? mgmt : {};
  const name = typeof given['network'] === 'string' ? given['network'] : 'clab';
  const config: Record<string, unknown>[] = [];
  const origins: [Path, Path][] = [];
  for (const [family, wants] of [
    ['4', wants4],
    ['6', wants6],
  ] as const) {
    const key = (word: string) => given[`ipv${family}-${word}`];
    const said = key('subnet') === 'auto' ? undefined : key('subnet');
    const subnet = said ?? (wants ? THEIR_SUBNET[family === '4' ? 4 : 6] : undefined);
    if (subnet === undefined) continue;
    const at = config.length;
    const entry: Record<string, unknown> = { subnet };
    if (key('gw') !== undefined) entry['gateway'] = key('gw');
    if (key('range') !== undefined) entry['ip_range'] = key('range');
    config.push(entry);
    for (const [ours, theirs] of [
      ['subnet', 'subnet'],
      ['gateway', 'gw'],
      ['ip_range', 'range'],
    ] as const) {
      origins.push([
        ['networks', name, 'ipam', 'config', at, ours],
        ['mgmt', `ipv${family}-${theirs}`],
      ]);
    }
  }
  const known = /^(network|ipv[46]-(subnet|gw|range))$/;
  for (const key of Object.keys(given)) {
    if (!known.test(key)) warn(['mgmt', key], key, mgmtHints[key] ?? 'nslab has no word for it');
  }
  const file = {
    ...(config.length === 0 ? {} : { ipam: { config } }),
    ...(config.some(({ subnet }) => String(subnet).includes(':')) ? { enable_ipv6: true } : {}),
  };
  return { name, file, origins };
}
