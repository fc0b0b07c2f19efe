// What a node has besides interfaces and routing: sysctls, lines of /etc/hosts, name servers, commands, labels.

import { type IpAddress, ipFamily } from '../base/ip.ts';
import type { NatRule } from '../model/filter.ts';
import type { Interface } from '../model/interface.ts';
import type { Dns, HostsEntry, Sysctl } from '../model/lab.ts';
import type { Network, PublishedPort } from '../model/network.ts';
import { type DraftNode, findInterface, type Lowering, type Report } from './draft.ts';
import { type Path, pathText } from './problems.ts';
import type { DefaultsFile, NodeFile } from './schema-node.ts';
import { members, quote, readAddress } from './values.ts';

type Parts = {
  readonly interfaces: readonly Interface[];
  readonly nat: readonly NatRule[];
  readonly networks?: readonly Network[] | undefined;
  readonly ports?: readonly PublishedPort[] | undefined;
};

/** Those that the kind and NAT imply, then those of `defaults`, then the node's own; of two for one key the last stays. */
export function lowerSysctls(lab: Lowering, node: DraftNode, parts: Parts): Sysctl[] {
  const isSaid = (node.file.sysctls ?? lab.file.defaults?.sysctls) !== undefined;
  if (!isSaid && node.place !== null) return forwarding(node, parts);
  const byKey = new Map<string, Sysctl>();
  const own = readSysctls(lab, node, { value: node.file.sysctls, path: [...node.path, 'sysctls'] });
  const general = readSysctls(lab, node, {
    value: lab.file.defaults?.sysctls,
    path: ['defaults', 'sysctls'],
  });
  const implied = impliedSysctls(node, parts, own);
  const shared = node.place === null ? [] : general;
  for (const sysctl of [...implied, ...shared, ...own]) {
    byKey.delete(sysctl.key);
    byKey.set(sysctl.key, sysctl);
  }
  return [...byKey.values()];
}

/** What decides about sysctls that nobody wrote: the kind of the node, and whether it is the machine. */
type Forwarder = Pick<DraftNode, 'place' | 'path'> & { readonly file: Pick<NodeFile, 'kind'> };

/** Those that the kind of the node, its NAT and its networks imply; `own` are those of the file. */
export function impliedSysctls(
  node: Forwarder,
  parts: Parts,
  own: readonly Pick<Sysctl, 'key' | 'value'>[],
): Sysctl[] {
  return node.place === null ? hostForwarding(node, parts, own) : forwarding(node, parts);
}

const forwardKeys = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' } as const;

/** What `kind: router` means. */
export const routerSysctls = ([4, 6] as const).map((family) => ({ key: forwardKeys[family], value: '1' }));

function forwarding(node: Forwarder, { nat }: Pick<Parts, 'nat'>): Sysctl[] {
  const router = node.file.kind === 'router';
  if (!router && nat.length === 0) return [];
  return ([4, 6] as const).flatMap((family) => {
    const rule = nat.find((one) => one.family === undefined || one.family === family);
    if (!router && rule === undefined) return [];
    const path = router ? pathText([...node.path, 'kind']) : pathText([...node.path, 'nat']);
    return { key: forwardKeys[family], value: '1', path };
  });
}

/**
 * The machine's own forwarding is not turned on as a whole: only packets that come in by the named interfaces and by those of
 * the lab pass. IPv6 knows that since Linux 6.17 (force_forwarding; `forwarding` of one interface does not forward), so
 * it is asked for only where the lab has IPv6 on the machine, and not where the file turns on `all` itself.
 */
function hostForwarding(
  node: Forwarder,
  parts: Parts,
  own: readonly Pick<Sysctl, 'key' | 'value'>[],
): Sysctl[] {
  const { interfaces, nat, networks = [], ports = [] } = parts;
  const forContainers = networks.length + ports.length > 0;
  if (nat.length === 0 && !forContainers) return [];
  const path = pathText(nat.length === 0 ? node.path : [...node.path, 'nat']);
  const named = nat.flatMap((rule) => (rule.kind === 'dnat' ? (rule.in ?? []) : rule.out));
  const routed = interfaces.filter((one) => one.master === undefined).map((one) => one.ifname as string);
  const names = [...new Set([...routed, ...named])].filter((name) => !name.endsWith('*'));
  const families = ([4, 6] as const).filter(
    (family) => forContainers || nat.some((rule) => (rule.family ?? family) === family),
  );
  const addressed = interfaces.some((one) => one.addresses.some(({ ip }) => ipFamily(ip) === 6));
  const all = own.some((sysctl) => sysctl.key === forwardKeys[6] && sysctl.value !== '0');
  return families.flatMap((family) => {
    if (family === 6 && (!addressed || all)) return [];
    const leaf = family === 4 ? 'forwarding' : 'force_forwarding';
    return names.map((name) => ({
      key: `net.ipv${family}.conf.${sysctlName(name)}.${leaf}`,
      value: '1',
      path,
    }));
  });
}

/** A dot inside an interface name is written as a slash, sysctl(8). */
function sysctlName(ifname: string): string {
  return ifname.replaceAll('.', '/');
}

type Values = { readonly value: NodeFile['sysctls']; readonly path: Path };

function readSysctls(lab: Lowering, node: DraftNode, { value, path }: Values): Sysctl[] {
  if (value === undefined) return [];
  const entries = Array.isArray(value)
    ? (value as readonly string[]).map((line, index) => ({ ...splitSetting(line), path: [...path, index] }))
    : Object.entries(value).map(([key, given]) => ({ key, value: given, path: [...path, key] }));
  return entries.flatMap((entry) => readSysctl(lab, node, entry) ?? []);
}

/** `net.ipv4.ip_forward=1`, with or without blanks. */
function splitSetting(line: string): { key: string; value: string | undefined } {
  const equals = line.indexOf('=');
  if (equals < 0) return { key: line.trim(), value: undefined };
  return { key: line.slice(0, equals).trim(), value: line.slice(equals + 1).trim() };
}

type Setting = {
  readonly key: string;
  readonly value: string | number | boolean | undefined;
  readonly path: Path;
};

function readSysctl(lab: Lowering, node: DraftNode, { key: text, value, path }: Setting): Sysctl | undefined {
  const { report } = lab;
  const key = canonicalKey(node, text);
  if (value === undefined)
    return report.fail(path, 'SYSCTL_INVALID', `${quote(text)} has no value`, `write ${text}=1`);
  if (!/^[a-z0-9_]+(\.[A-Za-z0-9_/@~+:-]+)+$/.test(key) || key.split(/[./]/).includes('')) {
    report.add({
      code: 'SYSCTL_INVALID',
      message: `${quote(text)} is not the name of a sysctl`,
      hint: 'as net.ipv4.ip_forward',
      path,
      part: 'key',
    });
    return undefined;
  }
  if (!isOfNamespace(node, key)) {
    const message = `${key} belongs to the whole machine, not to a network namespace`;
    const hint = key.startsWith('net.') ? undefined : 'only net.* can be set in a node';
    report.add({ code: 'SYSCTL_INVALID', message, hint, path, part: 'key' });
    return undefined;
  }
  const written = typeof value === 'boolean' ? Number(value) : value;
  return { key, value: String(written), path: pathText(path) };
}

/**
 * As sysctl(8) prints it. Where the first separator is a slash, slashes and dots are exchanged. The folder of an interface
 * whose name is too long for the kernel is called by the short name.
 */
function canonicalKey(node: DraftNode, text: string): string {
  const slash = text.indexOf('/');
  const dot = text.indexOf('.');
  const swapped = slash >= 0 && (dot < 0 || slash < dot);
  const key = swapped ? text.replace(/[./]/g, (one) => (one === '/' ? '.' : '/')) : text;
  const match = /^(net\.ipv[46]\.(?:conf|neigh)\.)(.+)(\.[a-z0-9_]+)$/.exec(key);
  if (match === null) return key;
  // `eth0.100` with its dot unescaped is clear from the two words around it.
  const name = (match[2] ?? '').replaceAll('/', '.');
  const ifname = findInterface(node, name)?.ifname ?? name;
  return `${match[1]}${sysctlName(ifname)}${match[3]}`;
}

/** Of the IPC namespace, which containers have: ipc_namespaces(7). */
const ipcKeys = /^(kernel\.(msg[a-z_]*|sem[a-z_]*|shm[a-z_]*)|fs\.mqueue\..+)$/;

function isOfNamespace(node: DraftNode, key: string): boolean {
  if (node.place === null || key.startsWith('net.')) return true;
  return node.kind === 'container' && node.file.ipc !== 'host' && ipcKeys.test(key);
}

/** The node's further lines of /etc/hosts: those of `defaults` first. */
export function lowerHosts(lab: Lowering, node: DraftNode): HostsEntry[] {
  const { hosts, extra_hosts } = node.file;
  if (node.place === null || (hosts ?? extra_hosts ?? lab.file.defaults?.hosts) === undefined) return [];
  const own = { report: lab.report, gateway: node.gateways[0] };
  return [
    ...readHosts({ ...own, path: ['defaults', 'hosts'] }, lab.file.defaults?.hosts),
    ...readHosts({ ...own, path: [...node.path, 'hosts'] }, hosts),
    ...readHosts({ ...own, path: [...node.path, 'extra_hosts'] }, extra_hosts),
  ];
}

/** `gateway` is the machine's address in the first network of the node. */
type HostsSpot = { readonly report: Report; readonly path: Path; readonly gateway: IpAddress | undefined };

/** Compose's word for the machine. */
const GATEWAY_WORD = 'host-gateway';

function readHostsAddress(text: string, { report, path, gateway }: HostsSpot): IpAddress | undefined {
  if (text !== GATEWAY_WORD) return readAddress(text, { report, path });
  if (gateway !== undefined) return gateway;
  const message = `${GATEWAY_WORD} is the machine's address in a network of the container, which is in none`;
  return report.fail(path, 'HOSTS_INVALID', message);
}

type HostsFile = NonNullable<NodeFile['hosts']>;

function readHosts(spot: HostsSpot, file: HostsFile | undefined): HostsEntry[] {
  const { report, path } = spot;
  if (file === undefined) return [];
  if (Array.isArray(file)) {
    return (file as readonly string[]).flatMap(
      (line, index) => readHostsLine({ ...spot, path: [...path, index] }, line) ?? [],
    );
  }
  return Object.entries(file as Record<string, string | string[]>).flatMap(([name, value]) => {
    if (!isHostName(name)) {
      report.add({
        code: 'HOSTS_INVALID',
        message: `${quote(name)} is not a host name`,
        path: [...path, name],
        part: 'key',
      });
      return [];
    }
    return members<string>(value, [...path, name]).flatMap(({ value: text, path: at }) => {
      const address = readHostsAddress(text, { ...spot, path: at });
      return address === undefined ? [] : { address, names: [name] };
    });
  });
}

/** `10.1.1.2 db db.lab`, as hosts(5); `db:10.1.1.2` and `db=10.1.1.2`, as Compose. */
function readHostsLine(spot: HostsSpot, line: string): HostsEntry | undefined {
  const { report, path } = spot;
  const compose = /^([A-Za-z0-9_.-]+)[:=](\S+)$/.exec(line.trim());
  const words = line.trim().split(/\s+/);
  const isCompose = compose !== null && !/^[0-9.]+$/.test(compose[1] ?? '') && words.length === 1;
  const [text, names] = isCompose
    ? [(compose[2] ?? '').replace(/^\[(.*)\]$/, '$1'), [compose[1] ?? '']]
    : [words[0] ?? '', words.slice(1)];
  if (names.length === 0) {
    return report.fail(
      path,
      'HOSTS_INVALID',
      `${quote(line)} has no name`,
      'write an address and then names, as "10.1.1.2 db"',
    );
  }
  const bad = names.find((name) => !isHostName(name));
  if (bad !== undefined) return report.fail(path, 'HOSTS_INVALID', `${quote(bad)} is not a host name`);
  const address = readHostsAddress(text, spot);
  return address === undefined ? undefined : { address, names };
}

/** hostname(7), and `_`, which many use. */
function isHostName(name: string): boolean {
  return /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(name) && name.length <= 253;
}

/** Name servers of the node, or of `defaults`. A container may say parts of it in Compose's words. */
export function lowerDns(lab: Lowering, node: DraftNode): Dns | undefined {
  if (node.place === null) return undefined;
  const { dns: own, dns_search: search, dns_opt: options } = node.file;
  const file = own ?? lab.file.defaults?.dns;
  const path = own === undefined ? ['defaults', 'dns'] : [...node.path, 'dns'];
  const dns = file === undefined ? undefined : readDns(lab.report, file, path);
  if (search === undefined && options === undefined) return dns;
  const said = dns ?? { servers: [], search: [], options: [] };
  for (const [key, value] of [
    ['dns_search', search],
    ['dns_opt', options],
  ] as const) {
    const other = key === 'dns_search' ? 'search' : 'options';
    if (value === undefined || said[other].length === 0) continue;
    const message = `\`${key}\` is another word for \`dns: { ${other} }\`; one is enough`;
    lab.report.fail([...node.path, key], 'VALUE_INVALID', message);
  }
  return {
    servers: said.servers,
    search: [
      ...said.search,
      ...members<string>(search, [...node.path, 'dns_search']).map(({ value }) => value),
    ],
    options: [...said.options, ...(options ?? [])],
  };
}

function readDns(report: Report, file: NonNullable<DefaultsFile['dns']>, path: Path): Dns {
  if (typeof file === 'string' || Array.isArray(file))
    return { servers: readServers(report, file as string, path), search: [], options: [] };
  const { servers, search, options } = file as Exclude<typeof file, string | string[]>;
  return {
    servers: readServers(report, servers, [...path, 'servers']),
    search: members<string>(search, [...path, 'search']).map(({ value }) => value),
    options: options ?? [],
  };
}

function readServers(report: Report, value: string | string[] | undefined, path: Path): Dns['servers'] {
  return members<string>(value, path).flatMap(
    ({ value: text, path: at }) => readAddress(text, { report, path: at }) ?? [],
  );
}

/** Commands as argument vectors; a text is for the shell. */
export function lowerExec(lab: Lowering, node: DraftNode): string[][] {
  return (node.file.exec ?? []).flatMap((command, index) => {
    if (typeof command === 'string' && command.trim() !== '') return [['/bin/sh', '-c', command]];
    if (typeof command !== 'string' && command.length > 0) return [[...command]];
    return lab.report.fail([...node.path, 'exec', index], 'VALUE_INVALID', 'the command is empty') ?? [];
  });
}

/** Labels of `defaults` and of the node. */
export function lowerLabels(lab: Lowering, node: DraftNode): Record<string, string> {
  if ((lab.file.defaults?.labels ?? node.file.labels) === undefined) return {};
  const entries = [lab.file.defaults?.labels, node.file.labels].flatMap((file) => {
    if (file === undefined) return [];
    if (!Array.isArray(file)) return Object.entries(file);
    return (file as readonly string[]).map((line): [string, string] => {
      const { key, value } = splitSetting(line);
      return [key, value ?? ''];
    });
  });
  return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
}
