// Turns what containerlab writes otherwise into what the schema knows: the `topology:` wrapper, defaults/kinds/groups, keys
// with dashes, links with a `type`. Keys that cannot be honoured are named and never skipped in silence. Files without any of
// that pass through untouched. Vocabulary: containerlab's manual, "nodes" and "topology definition"; its clab.schema.json.

import type { Path, PathProblem } from './problems.ts';
import { quote } from './values.ts';

type Mapping = Readonly<Record<string, unknown>>;

export type Native = {
  readonly value: unknown;
  readonly problems: readonly PathProblem[];
  /** Where a path of the changed tree is in the file. */
  readonly origin: (path: Path) => Path;
};

/** The tree in nslab's own words. */
export function fromContainerlab(tree: unknown): Native {
  const translation = new Translation();
  const value = isMapping(tree) ? translation.file(tree) : tree;
  return { value, problems: translation.problems, origin: (path) => translation.origin(path) };
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
  'security-opts': 'security_opt',
  'security-opt': 'security_opt',
  'extra-hosts': 'extra_hosts',
  'working-dir': 'working_dir',
  'depends-on': 'depends_on',
  cmd: 'command',
};

/** Without which the lab is the same: a warning. */
const harmless: Readonly<Record<string, string>> = {
  'mgmt-ipv4': 'nslab has no management network; `exec` and `shell` need none',
  'mgmt-ipv6': 'nslab has no management network; `exec` and `shell` need none',
  'image-pull-policy': 'the image is fetched when it is not there',
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
  'cpu-set': 'use `cpu` for a share of the processors',
  config: 'mount the file with `binds`',
  license: 'it belongs to an appliance, and nslab runs none',
  type: 'it belongs to an appliance, and nslab runs none',
  components: 'it belongs to an appliance, and nslab runs none',
  runtime: 'nslab runs containers itself',
  stages: 'use `depends_on`',
  aliases: 'use `hosts` of the other nodes',
  extras: 'it belongs to an appliance, and nslab runs none',
};
const topHarmless: Readonly<Record<string, string>> = {
  mgmt: 'nslab has no management network; `exec` and `shell` need none',
  settings: 'it says how containerlab works',
  debug: 'it says how containerlab works',
};
/** Of which a node's own entries come beside those that it inherits. */
const merged = new Set(['env', 'labels', 'sysctls']);

type Inherited = { readonly value: unknown; readonly path: Path };

class Translation {
  readonly problems: PathProblem[] = [];
  /** Places of the new tree that are elsewhere in the file, by the text of their path. */
  private readonly origins = new Map<string, Path>();
  /** Interfaces that links of a `type` bring. */
  private readonly interfaces = new Map<string, Record<string, unknown>>();

  file(tree: Mapping): Mapping {
    const wrapper = isMapping(tree['topology']) ? tree['topology'] : undefined;
    const nodes = this.hoist(tree, wrapper, 'nodes');
    const links = this.hoist(tree, wrapper, 'links');
    const known = isMapping(nodes) ? this.nodes(nodes, wrapper) : nodes;
    const wires = Array.isArray(links) ? this.links(links) : links;
    const top = this.top(tree, wrapper);
    const withInterfaces = isMapping(known) ? this.addInterfaces(known) : known;
    if (withInterfaces !== tree['nodes']) top['nodes'] = withInterfaces;
    if (wires !== tree['links']) top['links'] = wires;
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
      if (why === undefined) top[key] = value;
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
      const given = node === null && wrapper !== undefined ? {} : node;
      const value = isMapping(given) ? this.node(name, given, wrapper) : node;
      if (value === node) continue;
      changed ??= { ...nodes };
      changed[name] = value;
    }
    return changed ?? nodes;
  }

  private node(name: string, node: Mapping, wrapper: Mapping | undefined): Mapping {
    const inherited = wrapper === undefined ? node : this.inherit(name, node, wrapper);
    const path = ['nodes', name];
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
    const value = node[key];
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
    into[key] = value;
    if (path === undefined) this.origins.delete(place);
    else this.origins.set(place, path);
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
    return Object.hasOwn(link, 'type') || Object.hasOwn(link, 'vars');
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
        return rest;
      case 'host':
        return { ...wire, endpoints: [endpoint, `host:${String(device)}`] };
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
            : 'nslab knows wires (veth), host, macvlan and dummy';
        const message = `nslab has no link of type ${quote(String(type))}`;
        this.problems.push({ code: 'KEY_UNSUPPORTED', message, hint, path: [...path, 'type'] });
        return undefined;
      }
    }
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

function pick(from: Mapping, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(from, key)).map((key) => [key, from[key]]));
}

function textOf(path: Path): string {
  return JSON.stringify(path);
}
