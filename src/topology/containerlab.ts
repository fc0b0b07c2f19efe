// Turns what containerlab writes otherwise into what the schema knows: the `topology:` wrapper, defaults/kinds/groups, keys
// with dashes, links with a `type`. Keys that cannot be honoured are named and never skipped in silence. Files without any of
// that pass through untouched. Vocabulary: containerlab's manual, "nodes" and "topology definition"; its clab.schema.json.

import {
  asThere,
  bridgeNodeKeys,
  isManaged,
  isMapping,
  type Management,
  type Mapping,
  management,
} from './containerlab-node.ts';
import type { Path, PathProblem } from './problems.ts';
import { quote } from './values.ts';

export type Native = {
  readonly value: unknown;
  readonly problems: readonly PathProblem[];
  /** Where a path of the changed tree is in the file. */
  readonly origin: (path: Path) => Path;
};

/** The tree in nslab's own words. `name` is the lab's, where the file has none. */
export function fromContainerlab(tree: unknown, name = 'lab'): Native {
  const translation = new Translation(name);
  const value = isMapping(tree) ? translation.file(tree) : tree;
  return { value, problems: translation.problems, origin: (path) => translation.origin(path) };
}

/** Vendors' systems, by containerlab's long and short names. They need images and machines that nslab does not run. */
const appliances = new Set(
  `nokia_srlinux srl arista_ceos ceos arista_veos vr-veos veos juniper_crpd crpd juniper_vmx vmx vr-vmx juniper_vqfx vqfx
  vr-vqfx juniper_vsrx vsrx vr-vsrx juniper_vjunosrouter vjunosrouter vr-vjunosrouter juniper_vjunosswitch vjunosswitch
  vr-vjunosswitch juniper_vjunosevolved vjunosevolved vr-vjunosevolved juniper_cjunosevolved cjunosevolved nokia_sros
  vr-sros sros vr-nokia_sros nokia_srsim srsim cisco_xrd xrd cisco_xrv xrv vr-xrv cisco_xrv9k xrv9k vr-xrv9k cisco_csr1000v
  csr vr-csr cisco_c8000v c8000v cisco_c8000 c8000 cisco_cat9kv cat9kv vr-cat9kv cisco_n9kv n9kv vr-n9kv nxos cisco_ftdv
  ftdv vr-ftdv cisco_iol iol cisco_sdwan cisco_asav asav cumulus_cvx cvx cumulus_vx aruba_aoscx aoscx vr-aoscx sonic-vs
  sonic sonic-vm dell_ftosv ftosv vr-ftosv dell_sonic mikrotik_ros ros vr-ros paloalto_panos pan vr-pan huawei_vrp vrp
  ipinfusion_ocnos ocnos openbsd freebsd checkpoint_cloudguard fortinet_fortigate fortigate vr-fortinet_fortigate
  keysight_ixia-c-one ixia-c-one rare vyosnetworks_vyos vyos arrcus_arcos arcos fdio_vpp vpp f5_bigip-ve bigip
  6wind_vsr vsr k8s-kind ext-container ovs-bridge generic_vm linux-vm ostinato spirent_stc stc border0`.split(
    /\s+/,
  ),
);
const ourKinds = new Set(['netns', 'router', 'bridge', 'container', 'host', 'linux']);

/** containerlab's word for a key of a node: ours. */
const renamed: Readonly<Record<string, string>> = {
  'env-files': 'env_files',
  'network-mode': 'network_mode',
  'shm-size': 'shm_size',
  'cap-add': 'cap_add',
  'cap-drop': 'cap_drop',
  'restart-policy': 'restart',
  'cpu-set': 'cpuset',
  'image-pull-policy': 'pull_policy',
  'security-opts': 'security_opt',
  'security-opt': 'security_opt',
  'extra-hosts': 'extra_hosts',
  'working-dir': 'working_dir',
  'depends-on': 'depends_on',
  cmd: 'command',
};

/** Without which the lab is the same: a warning. */
const harmless: Readonly<Record<string, string>> = {
  'mgmt-ipv4': 'only a container of a file with `topology:` is in the management network',
  'mgmt-ipv6': 'only a container of a file with `topology:` is in the management network',
  'startup-delay': 'nodes start when those they depend on are ready: depends_on',
  'auto-remove': '`down` removes the node',
  certificate: 'nslab makes no certificates',
  publish: 'nslab publishes nothing outside the machine',
  position: 'only pictures need it',
};
/** Without which the lab would be another one: an error. */
const impossible: Readonly<Record<string, string>> = {
  'startup-config': 'mount the file with `binds`',
  'enforce-startup-config': 'mount the file with `binds`',
  'suppress-startup-config': 'mount the file with `binds`',
  config: 'mount the file with `binds`',
  license: 'it belongs to an appliance, and nslab runs none',
  type: 'it belongs to an appliance, and nslab runs none',
  components: 'it belongs to an appliance, and nslab runs none',
  runtime: 'nslab runs containers itself',
  stages: 'use `depends_on`',
  aliases:
    'only a container of a file with `topology:` is in the management network; use `hosts` of the other nodes',
  extras: 'it belongs to an appliance, and nslab runs none',
};
const topHarmless: Readonly<Record<string, string>> = {
  mgmt: 'the file has no container that is in the management network',
  settings: 'it says how containerlab works',
  debug: 'it says how containerlab works',
};
/** Of which a node's own entries come beside those that it inherits. */
const merged = new Set(['env', 'labels', 'sysctls']);
/** The same of lists. */
const joined = new Set(['binds', 'env-files', 'exec', 'cap-add', 'devices']);

type Inherited = { readonly value: unknown; readonly path: Path };

class Translation {
  readonly problems: PathProblem[] = [];
  /** Places of the new tree that are elsewhere in the file, by the text of their path. */
  private readonly origins = new Map<string, Path>();
  /** Interfaces that links of a `type` bring. */
  private readonly interfaces = new Map<string, Record<string, unknown>>();
  /** Nodes that stand for bridges of the machine. */
  private readonly bridges = new Set<string>();
  private mgmt: Management | undefined;
  /** How many links end at each node. */
  private readonly ends = new Map<string, number>();
  private name: string;
  /** The file has containerlab's wrapper, and these nodes. */
  private isTheirs = false;
  private known: ReadonlySet<string> = new Set();

  constructor(name: string) {
    this.name = name;
  }

  file(tree: Mapping): Mapping {
    const wrapper = isMapping(tree['topology']) ? tree['topology'] : undefined;
    const nodes = this.hoist(tree, wrapper, 'nodes');
    const links = this.hoist(tree, wrapper, 'links');
    if (tree['name'] !== undefined) this.name = String(tree['name']);
    if (wrapper !== undefined && isMapping(nodes)) this.look(tree, { nodes, links, wrapper });
    const known = isMapping(nodes) ? this.nodes(nodes, wrapper) : nodes;
    const wires = Array.isArray(links) ? this.links(links) : links;
    const top = this.top(tree, wrapper);
    const withInterfaces = isMapping(known) ? this.addInterfaces(known) : known;
    if (withInterfaces !== tree['nodes']) top['nodes'] = withInterfaces;
    if (wires !== tree['links']) top['links'] = wires;
    if (this.mgmt !== undefined) this.addManagement(top, this.mgmt);
    return top;
  }

  origin(path: Path): Path {
    if (this.origins.size === 0) return path;
    for (let length = path.length; length > 0; length--) {
      const found = this.origins.get(textOf(path.slice(0, length)));
      if (found !== undefined) return [...found, ...path.slice(length)];
    }
    return path;
  }

  /** Everything but nodes and links; what is left under `topology:` is for the schema to refuse. */
  private top(tree: Mapping, wrapper: Mapping | undefined): Record<string, unknown> {
    const top: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(tree)) {
      const why = Object.hasOwn(topHarmless, key) ? topHarmless[key] : undefined;
      if (key === 'mgmt' && this.mgmt !== undefined) continue;
      if (key === 'prefix' && wrapper !== undefined && value === '__lab-name') {
        this.warn([key], key, 'a namespace is called as its node is; `prefix: x-` goes before all names');
      } else if (why === undefined) top[key] = value;
      else this.warn([key], key, why);
    }
    if (wrapper === undefined) return top;
    const understood = new Set(['nodes', 'links', 'defaults', 'kinds', 'groups']);
    const rest = Object.entries(wrapper).filter(([key]) => !understood.has(key));
    if (rest.length === 0) delete top['topology'];
    else top['topology'] = Object.fromEntries(rest);
    return top;
  }

  private hoist(tree: Mapping, wrapper: Mapping | undefined, key: 'nodes' | 'links'): unknown {
    if (wrapper === undefined || !Object.hasOwn(wrapper, key)) return tree[key];
    if (Object.hasOwn(tree, key)) {
      const message = `\`${key}\` stands at the top of the file and under \`topology:\``;
      this.problems.push({
        code: 'INTERFACE_CONFLICT',
        message,
        hint: 'keep one',
        path: ['topology', key],
        part: 'key',
      });
      return tree[key];
    }
    this.origins.set(textOf([key]), ['topology', key]);
    return wrapper[key];
  }

  /** The same object where no node needed a change. */
  private nodes(nodes: Mapping, wrapper: Mapping | undefined): Mapping {
    let changed: Record<string, unknown> | undefined;
    for (const [name, node] of Object.entries(nodes)) {
      if (this.bridges.has(name)) {
        changed ??= { ...nodes };
        delete changed[name];
        continue;
      }
      const given = node === null && wrapper !== undefined ? {} : node;
      const value = isMapping(given) ? this.node(name, given, wrapper) : node;
      if (value === node) continue;
      changed ??= { ...nodes };
      changed[name] = value;
    }
    return changed ?? nodes;
  }

  private node(name: string, node: Mapping, wrapper: Mapping | undefined): Mapping {
    const path = ['nodes', name];
    const inherited = wrapper === undefined ? node : this.completed(name, node, wrapper);
    let changed: Record<string, unknown> | undefined;
    for (const key of Object.keys(inherited)) {
      if (this.isPlain(key, inherited[key])) continue;
      changed ??= { ...inherited };
      this.foreignKey(changed, key, path);
    }
    return changed ?? inherited;
  }

  private isPlain(key: string, value: unknown): boolean {
    if (key === 'kind') return typeof value !== 'string' || ourKinds.has(value) || !appliances.has(value);
    if (key === 'network-mode' || Object.hasOwn(renamed, key)) return false;
    return !(Object.hasOwn(harmless, key) || Object.hasOwn(impossible, key));
  }

  private foreignKey(node: Record<string, unknown>, key: string, path: Path): void {
    const at = [...path, key];
    const value = key === 'image-pull-policy' ? pullPolicy(node[key]) : node[key];
    delete node[key];
    if (key === 'kind') {
      const message = `kind ${quote(String(value))} is an appliance, which nslab does not run`;
      const hint = 'nslab runs Linux: netns, router, bridge, container, host';
      this.problems.push({ code: 'KIND_UNSUPPORTED', message, hint, path: at });
    } else if (Object.hasOwn(harmless, key)) this.warn(at, key, harmless[key] ?? '');
    else if (Object.hasOwn(impossible, key)) {
      const message = `nslab cannot honour containerlab's ${quote(key)}`;
      this.problems.push({ code: 'KEY_UNSUPPORTED', message, hint: impossible[key], path: at, part: 'key' });
    } else {
      const ours = renamed[key] ?? key;
      // Two spellings of one key: the first is kept, and the second is left for the schema to refuse.
      if (Object.hasOwn(node, ours)) node[key] = value;
      else {
        node[ours] = value;
        this.origins.set(textOf([...path, ours]), this.origin(at));
      }
    }
  }

  private warn(path: Path, key: string, hint: string): void {
    const message = `containerlab's ${quote(key)} has no effect here`;
    this.problems.push({ code: 'KEY_UNSUPPORTED', message, hint, path, part: 'key', severity: 'warning' });
  }

  /** node over group over kind over defaults. */
  private inherit(name: string, node: Mapping, wrapper: Mapping): Mapping {
    const sources: Inherited[] = [{ value: wrapper['defaults'], path: ['topology', 'defaults'] }];
    const fallbackKind = isMapping(wrapper['defaults']) ? wrapper['defaults']['kind'] : undefined;
    const group = node['group'];
    const groups = isMapping(wrapper['groups']) ? wrapper['groups'] : {};
    const groupFile = typeof group === 'string' ? groups[group] : undefined;
    const kind = node['kind'] ?? (isMapping(groupFile) ? groupFile['kind'] : undefined) ?? fallbackKind;
    const kinds = isMapping(wrapper['kinds']) ? wrapper['kinds'] : {};
    if (typeof kind === 'string') sources.push({ value: kinds[kind], path: ['topology', 'kinds', kind] });
    if (typeof group === 'string') sources.push({ value: groupFile, path: ['topology', 'groups', group] });
    const result: Record<string, unknown> = {};
    for (const { value, path } of sources) {
      if (!isMapping(value)) continue;
      for (const key of Object.keys(value))
        this.take(result, { key, value: value[key], path: [...path, key] }, name);
    }
    for (const key of Object.keys(node)) {
      // `group` has done its work.
      if (key !== 'group') this.take(result, { key, value: node[key], path: undefined }, name);
    }
    return result;
  }

  private take(
    into: Record<string, unknown>,
    from: { readonly key: string; readonly value: unknown; readonly path: Path | undefined },
    name: string,
  ): void {
    const { key, value, path } = from;
    const before = into[key];
    const place = textOf(['nodes', name, key]);
    if (merged.has(key) && isMapping(before) && isMapping(value)) {
      into[key] = { ...before, ...value };
      const member = (step: string): Path =>
        path === undefined ? ['topology', 'nodes', name, key, step] : [...path, step];
      for (const step of Object.keys(value))
        this.origins.set(textOf(['nodes', name, key, step]), member(step));
      return;
    }
    if (joined.has(key) && Array.isArray(before) && Array.isArray(value)) {
      const whole = this.origins.get(place) ?? ['topology', 'nodes', name, key];
      const entries = [
        ...before.map(
          (one, at): Joined => [one, this.origins.get(textOf(['nodes', name, key, at])) ?? [...whole, at]],
        ),
        ...value.map((one, at): Joined => [one, [...(path ?? ['topology', 'nodes', name, key]), at]]),
      ];
      const kept = key === 'binds' ? lastOfTarget(entries) : entries;
      into[key] = kept.map(([one]) => one);
      for (const [at, [, from]] of kept.entries()) this.origins.set(textOf(['nodes', name, key, at]), from);
      return;
    }
    into[key] = value;
    if (path === undefined) this.origins.delete(place);
    else this.origins.set(place, path);
  }

  /** What has to be known of all nodes before the first is translated. */
  private look(tree: Mapping, file: { nodes: Mapping; links: unknown; wrapper: Mapping }): void {
    const managed: Mapping[] = [];
    this.isTheirs = true;
    this.known = new Set(Object.keys(file.nodes));
    for (const [name, node] of Object.entries(file.nodes)) {
      const whole = this.inherit(name, isMapping(node) ? node : {}, file.wrapper);
      if (whole['kind'] === 'bridge') this.bridge(name, whole);
      else if (isManaged(whole)) managed.push(whole);
    }
    const texts = JSON.stringify(file.links ?? []);
    if (managed.length > 0 || /"mgmt-net[":]/.test(texts)) {
      const wants = (key: string) => managed.some((node) => node[key] !== undefined);
      const families = { wants4: wants('mgmt-ipv4'), wants6: wants('mgmt-ipv6') };
      this.mgmt = management(tree['mgmt'], families, (path, key, hint) => this.warn(path, key, hint));
    }
    if (!Array.isArray(file.links)) return;
    for (const link of file.links as readonly unknown[]) {
      if (!isMapping(link)) continue;
      const ends = [
        link['endpoint'],
        ...(Array.isArray(link['endpoints']) ? (link['endpoints'] as unknown[]) : []),
      ];
      for (const end of ends) {
        const node =
          typeof end === 'string' ? end.split(':')[0] : isMapping(end) ? String(end['node']) : undefined;
        if (node !== undefined) this.ends.set(node, (this.ends.get(node) ?? 0) + 1);
      }
    }
  }

  /** There a bridge is one of the machine, made by somebody else; the node is only a name for it. */
  private bridge(name: string, node: Mapping): void {
    this.bridges.add(name);
    for (const key of Object.keys(node)) {
      if (bridgeNodeKeys.has(key)) continue;
      const hint =
        'with `topology:` the node is a bridge that the machine has; without it nslab makes a switch';
      this.refuse(this.origin(['nodes', name, key]), key, hint);
    }
  }

  private completed(name: string, node: Mapping, wrapper: Mapping): Mapping {
    const path = ['nodes', name];
    const inherited = this.inherit(name, node, wrapper);
    return asThere(inherited, {
      name,
      network: isManaged(inherited) ? this.mgmt?.name : undefined,
      folder: `clab-${this.name}`,
      links: this.ends.get(name) ?? 0,
      moved: (ours, theirs) =>
        this.origins.set(textOf([...path, ...ours]), this.origin([...path, ...theirs])),
      refuse: (key, hint) => this.refuse(this.origin([...path, ...key]), String(key.at(-1)), hint),
    });
  }

  /** The management network beside those that the file has in nslab's words. */
  private addManagement(top: Record<string, unknown>, { name, file, origins }: Management): void {
    const own = isMapping(top['networks']) ? top['networks'] : {};
    if (Object.hasOwn(own, name)) return;
    top['networks'] = { ...own, [name]: file };
    this.origins.set(textOf(['networks', name]), ['mgmt']);
    for (const [ours, theirs] of origins) this.origins.set(textOf(ours), theirs);
  }

  private links(links: readonly unknown[]): readonly unknown[] {
    if (!links.some((link) => isMapping(link) && this.isForeignLink(link))) return links;
    const result: unknown[] = [];
    const base = this.origin(['links']);
    for (const [index, link] of links.entries()) {
      const value = isMapping(link) && this.isForeignLink(link) ? this.link(link, [...base, index]) : link;
      if (value === undefined) continue;
      this.origins.set(textOf(['links', result.length]), [...base, index]);
      result.push(value);
    }
    return result;
  }

  private isForeignLink(link: Mapping): boolean {
    if (Object.hasOwn(link, 'type') || Object.hasOwn(link, 'vars')) return true;
    const { endpoints } = link;
    return Array.isArray(endpoints) && endpoints.some((end) => this.foreignEnd(end) !== undefined);
  }

  /** What an end is that is no node of the file: `mgmt-net:x`, `macvlan:eno1`, `dummy`, or a port of a bridge of the machine. */
  private foreignEnd(end: unknown): { readonly word: string; readonly device: string } | undefined {
    const [word = '', device = ''] =
      typeof end === 'string'
        ? end.split(':')
        : isMapping(end)
          ? [String(end['node']), String(end['interface'])]
          : [];
    if (this.bridges.has(word)) return { word: 'bridge', device };
    return this.isTheirs && foreignEnds.has(word) && !this.known.has(word) ? { word, device } : undefined;
  }

  /** A link with a `type`. What is not a wire between two nodes becomes an interface, or is refused by name. */
  private link(link: Mapping, path: Path): Mapping | undefined {
    const { type, vars, ...rest } = link;
    if (vars !== undefined)
      this.refuse([...path, 'vars'], 'vars', 'it belongs to an appliance, and nslab runs none');
    const { endpoint, 'host-interface': device, ...wire } = rest;
    switch (type) {
      case undefined:
      case 'veth':
        return this.wire(rest, path);
      case 'host':
        return this.wire({ ...wire, endpoints: [endpoint, `host:${String(device)}`] }, path);
      case 'mgmt-net':
        return this.wire({ ...wire, endpoints: [endpoint, `mgmt-net:${String(device)}`] }, path);
      case 'macvlan':
        return this.single(endpoint, {
          type: 'macvlan',
          link: `host:${String(device)}`,
          ...pick(wire, ['mode', 'mtu']),
        });
      case 'dummy':
        return this.single(endpoint, { type: 'dummy', ...pick(wire, ['mtu']) });
      default: {
        const hint =
          type === 'vxlan' || type === 'vxlan-stitch'
            ? 'make an interface with `type: vxlan` in the node'
            : 'nslab knows wires (veth), host, mgmt-net, macvlan and dummy';
        const message = `nslab has no link of type ${quote(String(type))}`;
        this.problems.push({ code: 'KEY_UNSUPPORTED', message, hint, path: [...path, 'type'] });
        return undefined;
      }
    }
  }

  /** A wire, one end of which may be something else than a node. */
  private wire(link: Record<string, unknown>, path: Path): Mapping | undefined {
    const { endpoints, ...rest } = link;
    if (!Array.isArray(endpoints)) return link;
    const ends = endpoints as readonly unknown[];
    for (const [index, end] of ends.entries()) {
      const foreign = this.foreignEnd(end);
      const other = ends[1 - index];
      if (foreign === undefined || ends.length !== 2) continue;
      if (foreign.word === 'macvlan') {
        const settings = { type: 'macvlan', link: `host:${foreign.device}`, ...pick(rest, ['mtu']) };
        return this.single(other, settings);
      }
      if (foreign.word === 'dummy') return this.single(other, { type: 'dummy', ...pick(rest, ['mtu']) });
      if (foreign.word === 'vxlan' || foreign.word === 'vxlan-stitch') {
        this.refuse(
          [...path, 'endpoints', index],
          foreign.word,
          'make an interface with `type: vxlan` in the node',
        );
        return undefined;
      }
    }
    return { ...rest, endpoints: ends.map((end) => this.portOf(end)) };
  }

  /** A port of a bridge of the machine, as the end of a wire on the machine that is plugged into it. */
  private portOf(end: unknown): unknown {
    const foreign = this.foreignEnd(end);
    if (foreign === undefined) return end;
    const { word, device } = foreign;
    const name = typeof end === 'string' ? end.split(':')[0] : isMapping(end) ? end['node'] : undefined;
    const master = word === 'mgmt-net' ? `network:${this.mgmt?.name}` : name;
    const more = isMapping(end) ? end : {};
    return { ...more, node: 'host', ...(device === '' ? {} : { interface: device }), master };
  }

  private refuse(path: Path, key: string, hint: string): void {
    const message = `nslab cannot honour containerlab's ${quote(key)}`;
    this.problems.push({ code: 'KEY_UNSUPPORTED', message, hint, path, part: 'key' });
  }

  private single(endpoint: unknown, settings: Record<string, unknown>): undefined {
    const [node, name] =
      typeof endpoint === 'string'
        ? endpoint.split(':')
        : isMapping(endpoint)
          ? [String(endpoint['node']), String(endpoint['interface'])]
          : [];
    if (node === undefined || name === undefined) return undefined;
    const known = this.interfaces.get(node) ?? {};
    known[name] = isMapping(endpoint) ? { ...settings, ...pick(endpoint, ['mac']) } : settings;
    this.interfaces.set(node, known);
    return undefined;
  }

  private addInterfaces(nodes: Mapping): Mapping {
    if (this.interfaces.size === 0) return nodes;
    const result = { ...nodes };
    for (const [name, added] of this.interfaces) {
      const node = isMapping(result[name]) ? result[name] : {};
      const own = isMapping(node['interfaces']) ? node['interfaces'] : {};
      result[name] = { ...node, interfaces: { ...own, ...added } };
    }
    return result;
  }
}

/** Words before the colon of an end that are no node, in containerlab's files. */
const foreignEnds = new Set(['mgmt-net', 'macvlan', 'dummy', 'vxlan', 'vxlan-stitch']);

type Joined = readonly [value: unknown, from: Path];

/** Of two binds with one target the later one stays. */
function lastOfTarget(binds: readonly Joined[]): readonly Joined[] {
  const target = ([bind]: Joined) => (typeof bind === 'string' ? (bind.split(':')[1] ?? bind) : bind);
  return binds.filter(
    (bind, index) => !binds.slice(index + 1).some((later) => target(later) === target(bind)),
  );
}

/** containerlab's words for when an image is pulled. */
function pullPolicy(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const word = value.toLowerCase();
  return word === 'ifnotpresent' ? 'missing' : word;
}

function pick(from: Mapping, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(from, key)).map((key) => [key, from[key]]));
}

function textOf(path: Path): string {
  return JSON.stringify(path);
}
