// The same labs as shell scripts of ip(8), the two ways in which people write them: one `ip` for every command, and `ip -batch`.
// The devices are made as nslab makes them (born in place, one queue, no IPv6 chatter), so that only the way of asking differs.
// A batch is bound to one namespace, so there is one for the names, and one more for every namespace.

import type { BenchLab, BenchNode, End, Wire } from './shapes.ts';

export type Scripts = { readonly up: string; readonly down: string };

/** What is asked in one namespace, in words of ip(8) without `ip -n NETNS`. */
type Steps = {
  readonly sysctls: string[];
  readonly devices: string[];
  readonly settings: string[];
  /** The nodes whose devices have an end here, which the settings need. */
  readonly needs: Set<string>;
};

const QUEUES = 'numtxqueues 1 numrxqueues 1';
const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
/** Ports of a switch are born up, so IPv6 is told to be quiet before there is one (1 is `none`). */
const QUIET = ['net.ipv6.conf.default.addr_gen_mode=1'];

function nodeSteps(node: BenchNode): Steps {
  const devices = ['link set lo up'];
  if (node.kind === 'bridge') {
    devices.push('link add br0 type bridge');
    if (node.address !== undefined) devices.push(`address add ${node.address} broadcast + dev br0`);
    devices.push('link set br0 up');
  }
  const sysctls = node.kind === 'bridge' ? QUIET : node.kind === 'router' ? FORWARDING : [];
  return { sysctls: [...sysctls], devices, settings: [], needs: new Set() };
}

function settle(steps: Steps, end: End): void {
  const { ifname, address } = end;
  steps.settings.push(`link set ${ifname} addrgenmode none`, `link set ${ifname} up`);
  if (address === undefined) return;
  const broadcast = address.endsWith('/31') ? '' : ' broadcast +';
  steps.settings.push(`address add ${address}${broadcast} dev ${ifname}`);
}

function addWire(all: Map<string, Steps>, { near, far, ports }: Wire, prefix: string): void {
  const nearSteps = all.get(near.node);
  const farSteps = all.get(far.node);
  if (nearSteps === undefined || farSteps === undefined)
    throw new Error(`a wire of ${near.node} ends nowhere`);
  farSteps.needs.add(near.node);
  const port = ports === 'none' ? '' : ' master br0 up';
  nearSteps.devices.push(
    `link add ${near.ifname}${port} ${QUEUES} type veth peer name ${far.ifname} ${QUEUES} netns ${prefix}${far.node}`,
  );
  if (ports === 'none') settle(nearSteps, near);
  if (ports === 'both') farSteps.settings.push(`link set ${far.ifname} master br0 up`);
  else settle(farSteps, far);
}

function stepsOf(lab: BenchLab, prefix: string): Map<string, Steps> {
  const all = new Map(lab.nodes.map((node) => [node.name, nodeSteps(node)]));
  for (const wire of lab.wires) addWire(all, wire, prefix);
  for (const { name, gateway } of lab.nodes) {
    if (gateway === undefined) continue;
    all.get(name)?.settings.push(`route add default via ${gateway.via} dev ${gateway.dev}`);
  }
  return all;
}

function script(lines: readonly string[]): string {
  return ['set -e', ...lines, ''].join('\n');
}

/** One process for every command. */
export function ipScripts(lab: BenchLab, prefix: string): Scripts {
  const names = lab.nodes.map(({ name }) => `${prefix}${name}`);
  const all = [...stepsOf(lab, prefix)].map(([name, steps]) => ({ netns: `${prefix}${name}`, ...steps }));
  return {
    up: script([
      ...names.map((name) => `ip netns add ${name}`),
      ...all.flatMap(({ netns, sysctls }) =>
        sysctls.map((sysctl) => `ip netns exec ${netns} sysctl -qw ${sysctl}`),
      ),
      ...all.flatMap(({ netns, devices }) => devices.map((line) => `ip -n ${netns} ${line}`)),
      ...all.flatMap(({ netns, settings }) => settings.map((line) => `ip -n ${netns} ${line}`)),
    ]),
    down: script(names.map((name) => `ip netns del ${name}`)),
  };
}

function batch(options: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`ip ${options}-batch - <<'END'`, ...lines, 'END'];
}

/** As few processes as ip(8) allows. */
export function ipBatchScripts(lab: BenchLab, prefix: string): Scripts {
  const names = lab.nodes.map(({ name }) => `${prefix}${name}`);
  const all = [...stepsOf(lab, prefix)];
  const done = new Set<string>();
  const late: string[] = [];
  const batches: string[] = [];
  for (const [name, { devices, settings, needs }] of all) {
    done.add(name);
    const ready = [...needs].every((other) => done.has(other));
    const options = `-n ${prefix}${name} `;
    batches.push(...batch(options, ready ? [...devices, ...settings] : devices));
    if (!ready) late.push(...batch(options, settings));
  }
  return {
    up: script([
      ...batch(
        '',
        names.map((name) => `netns add ${name}`),
      ),
      ...all.flatMap(([name, { sysctls }]) =>
        sysctls.length === 0 ? [] : [`ip netns exec ${prefix}${name} sysctl -qw ${sysctls.join(' ')}`],
      ),
      ...batches,
      ...late,
    ]),
    down: script(
      batch(
        '',
        names.map((name) => `netns del ${name}`),
      ),
    ),
  };
}
