// The same ops as a bash script that a teacher could have written: it builds the very lab that `up` builds, with the commands of
// iproute2, nftables and procps. The order is that of the ops, since it is one in which every command can work; comments say
// what a group of commands is for, and, at its first use, why a command is needed.

import { assertNever } from '../base/result.ts';
import type { EndRef } from '../model/interface.ts';
import type { Lab, Node, Place } from '../model/lab.ts';
import { usernsOf } from '../model/userns.ts';
import { containerLines } from './container-text.ts';
import { conditionWords } from './describe.ts';
import type { Op, UndoOp } from './op.ts';
import { commandLine, comment, hereDocument, quote } from './shell.ts';
import { planDown, undoFacts } from './undo.ts';
import {
  type Command,
  deleteNeighbour,
  deleteRoute,
  deleteRule,
  HOST_NETNS,
  scriptCommandsOf,
} from './words.ts';

/** The script that does what these ops of the lab do. */
export function explainUp(lab: Lab, ops: readonly Op[]): string {
  const lines = [
    '#!/bin/bash',
    comment(`Lab ${lab.name}: what \`nslab up\` does, as commands. Run as root.`),
    'set -e',
  ];
  const etc = new EtcScript();
  const lessons = new Set<string>();
  const nodes = new Map(lab.nodes.map((node) => [node.place, node]));
  let before = '';
  for (const { section, heading, op } of inSections(ops, nodes)) {
    if (section !== before) lines.push('', ...heading().map(comment));
    before = section;
    for (const { key, text } of lessonsOf(op)) {
      if (!lessons.has(key)) lines.push(comment(text));
      lessons.add(key);
    }
    lines.push(
      ...etc.linesOf(op),
      ...containerComments(op, lab.name),
      ...commandsInScript(op)
        .flatMap(script)
        .map((text) => (op.kind === 'runCommand' && op.mayFail === true ? `${text} || true` : text)),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** The script that takes away what {@link explainUp}'s made. */
export function explainDown(lab: Lab, ops: readonly Op[]): string {
  const facts = undoFacts(lab.name, ops, {
    readSysctl: () => '',
    readLinkState: (ifname) => ({
      ifname,
      mac: '',
      mtu: 0,
      up: true,
      addresses: [],
      routes: [],
      sysctls: {},
    }),
  });
  const lines = [
    '#!/bin/bash',
    comment(`Lab ${lab.name}: what \`nslab down\` does, as commands. Run as root.`),
    comment('Nothing to remove is as good: on a machine without the lab it does nothing.'),
  ];
  for (const op of planDown(facts)) lines.push('', ...undoLines(op));
  return `${lines.join('\n')}\n`;
}

/** The lines of a command, with what it reads as a here-document. */
function script({ argv, stdin }: Command): string[] {
  const line = argv.map((word) => (word === HOST_NETNS ? '$$' : quote(word))).join(' ');
  if (stdin === undefined) return [line];
  const { redirect, body } = hereDocument(stdin);
  return [`${line} ${redirect}`, body];
}

/** A command inside a container has no counterpart, because the container has none. */
function commandsInScript(op: Op): Command[] {
  return op.kind === 'runCommand' && op.container === true ? [] : scriptCommandsOf(op);
}

/** What no single command does is said, so that a reader can do it by hand. */
function containerComments(op: Op, lab: string): string[] {
  if (op.kind === 'awaitContainer') {
    return [comment(`${op.waiters.join(', ')}: not before ${op.node} ${conditionWords[op.condition]}.`)];
  }
  if (op.kind === 'runCommand' && op.container === true) {
    return [comment(`nslab exec ${op.node} ${commandLine(op.argv)}`)];
  }
  if (op.kind !== 'startContainer') return [];
  const [command = '', ...settings] = containerLines(op);
  const network = op.place === null ? "the machine's network" : `the network of /run/netns/${op.place}`;
  return [
    `${op.node} is a container. nslab would, in this order:`,
    `  make its cgroups nslab/${lab}/${op.node} and write the limits there;`,
    `  unshare(1) --mount --uts --ipc --pid --cgroup, and join ${network};`,
    ...(usernsOf(op).mode === 'host' ? [] : ['  enter a user namespace (which would own the network, too);']),
    '  mount an overlay as its root, /proc, /sys, /dev and its own mounts in it, and pivot_root(8) into it;',
    '  drop capabilities, set no_new_privs, load the seccomp filter;',
    `  run ${command}`,
    ...settings.map((text) => `    ${text}`),
  ].map(comment);
}

type Entry = { readonly section: string; readonly heading: () => string[]; readonly op: Op };
type Nodes = ReadonlyMap<Place, Node>;

/** Each op with the group it belongs to. A group is what stands together in the list. */
function* inSections(ops: readonly Op[], nodes: Nodes): Generator<Entry> {
  const isDevice = ({ kind }: Op): boolean => kind === 'createLink' || kind === 'moveLink';
  const first = ops.findIndex(isDevice);
  const last = ops.findLastIndex(isDevice);
  for (const [i, op] of ops.entries()) {
    const made = first >= 0 && i >= first && i <= last;
    yield { ...sectionOf(op, made ? 'making' : i < first ? 'before' : 'after', nodes), op };
  }
}

function sectionOf(op: Op, when: 'before' | 'making' | 'after', nodes: Nodes): Omit<Entry, 'op'> {
  switch (op.kind) {
    case 'createNetns':
      return { section: 'netns', heading: () => ['The nodes: a network namespace each.'] };
    case 'writeEtc':
    case 'linkEtc':
      return { section: 'etc', heading: etcHeading };
    case 'startContainer':
    case 'awaitContainer':
      return {
        section: 'containers',
        heading: () => [
          'The containers. No single command starts one, so this script only says what they are.',
        ],
      };
    case 'runCommand':
      return { section: 'run', heading: () => ['The commands of the file.'] };
    default: {
      const name = nameOf(op.place);
      if (when === 'before') {
        return {
          section: `before ${name}`,
          heading: () => [`${name}: settings that new devices take over.`],
        };
      }
      if (when === 'making') return { section: `making ${name}`, heading: () => [`${name}: its devices.`] };
      return { section: name, heading: () => nodeHeading(name, nodes.get(op.place)) };
    }
  }
}

function nameOf(place: Place): string {
  return place ?? 'host';
}

function etcHeading(): string[] {
  return [
    'Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.',
    'Nodes that see the lab alike share one folder.',
  ];
}

/** Which wires end here: what was made from elsewhere is found only by reading far above. */
function nodeHeading(name: string, node: Node | undefined): string[] {
  const ends = (node?.interfaces ?? []).flatMap((iface) =>
    iface.type === 'veth' ? [`${iface.ifname} is the other end of ${endName(iface.peer)}`] : [],
  );
  if (ends.length === 0) return [`${name}.`];
  const shown = ends.slice(0, MAX_ENDS).join(', ');
  return [`${name}: ${shown}${ends.length > MAX_ENDS ? ` (${ends.length} wires end here)` : ''}.`];
}

const MAX_ENDS = 4;

function endName({ place, ifname }: EndRef): string {
  return `${ifname} in ${nameOf(place)}`;
}

type Lesson = { readonly key: string; readonly text: string };

/** What a reader may ask at the first command of a kind. */
function lessonsOf(op: Op): Lesson[] {
  const text = lessonText(op);
  return text === undefined ? [] : [{ key: text, text }];
}

function lessonText(op: Op): string | undefined {
  switch (op.kind) {
    case 'createLink':
      return deviceLesson(op);
    case 'moveLink':
      return 'A real network card can be in one namespace only; it leaves its addresses and routes behind.';
    case 'setLink':
      if (op.ifname === 'lo')
        return 'lo is down in a new namespace, and without it a node cannot reach itself.';
      if (op.addrgenmode === 'none') {
        return 'No IPv6 is asked for here: without a link-local address the interface has nothing to announce.';
      }
      if (op.altname !== undefined) return 'The kernel allows 15 bytes; the full name can be used as well.';
      return op.master === undefined ? undefined : 'An interface with a master is a port of it.';
    case 'setSysctl':
      return sysctlLesson(op.key, op.value);
    case 'setPort':
      return 'How the bridge treats this port.';
    case 'addVlan':
      return op.pvid
        ? 'Frames without a tag belong to this VLAN, and leave without a tag.'
        : 'Frames of these VLANs pass with their tag.';
    case 'delVlan':
      return undefined;
    case 'addAddress':
      return 'An address, and with its length the route to its subnet.';
    case 'addRoute':
      return op.route.type === 'unicast'
        ? 'Where to send what is on no subnet of the node.'
        : 'A route that leads nowhere, on purpose.';
    case 'addRule':
      return 'Which routing table is asked, and for which packets: the rule with the lowest priority that fits.';
    case 'addNeighbour':
      return 'What ARP and neighbour discovery would find out.';
    case 'addFdb':
      return 'There is no broadcast between machines: frames for everybody go to each of these.';
    case 'addTable':
      return 'NAT and firewall: one nft table holds both, and is removed as one.';
    case 'setQdisc':
      return op.qdisc?.kind === 'tbf'
        ? 'What leaves here waits until the rate allows it (tbf).'
        : 'What leaves here is delayed, lost or damaged (netem); what comes in is not.';
    case 'setWireguard':
      return 'Keys, and which addresses are behind which peer.';
    case 'createNetns':
    case 'writeEtc':
    case 'linkEtc':
    case 'startContainer':
    case 'awaitContainer':
    case 'runCommand':
      return undefined;
    default:
      return assertNever(op);
  }
}

function deviceLesson({ link }: Extract<Op, { readonly kind: 'createLink' }>): string | undefined {
  switch (link.type) {
    case 'veth':
      return 'A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.';
    case 'bridge':
      return 'A bridge is a switch; what has it as master is a port.';
    case 'vlan':
      return 'A VLAN: its frames carry a tag on the device it stands on.';
    case 'vxlan':
      return 'A VXLAN: Ethernet frames travel in UDP packets between its ends.';
    case 'vrf':
      return 'A VRF: its ports use a routing table of their own.';
    default:
      return undefined;
  }
}

function sysctlLesson(key: string, value: string): string | undefined {
  if (key === 'net.ipv6.conf.default.addr_gen_mode') {
    return 'Ports of a switch need no IPv6: 1 is none, no link-local address.';
  }
  if (/(ip_forward|forwarding)$/.test(key) && value === '1') {
    return 'A router passes on packets that are not for itself.';
  }
  return undefined;
}

/** Files for /etc: the first node that has a view gets the files, the others a link to its folder. */
class EtcScript {
  private readonly files = new Map<string, Readonly<Record<string, string>>>();
  private readonly folders = new Map<string, string>();

  linesOf(op: Op): string[] {
    if (op.kind === 'writeEtc') this.files.set(op.view, op.files);
    if (op.kind !== 'linkEtc') return [];
    const { netns, view } = op;
    const first = this.folders.get(view);
    if (first !== undefined) return [`ln -sT ${quote(first)} ${quote(`/etc/netns/${netns}`)}`];
    this.folders.set(view, netns);
    const folder = `/etc/netns/${netns}`;
    const files = Object.entries(this.files.get(view) ?? {});
    return [
      `mkdir -p ${quote(folder)}`,
      ...files.flatMap(([name, text]) => fileLines(`${folder}/${name}`, text)),
    ];
  }
}

function fileLines(path: string, text: string): string[] {
  const { redirect, body } = hereDocument(text);
  return [`cat > ${quote(path)} ${redirect}`, body];
}

function undoLines(op: UndoOp): string[] {
  switch (op.kind) {
    case 'stopContainers':
      return [
        comment(`The containers ${op.nodes.join(', ')} were not started by a script; nslab down ends them.`),
      ];
    case 'stopProcesses':
      return [
        comment('A process that still runs in a namespace would keep it alive.'),
        ...forNetns(op.netns, 'ip netns pids "$node" | xargs -r kill -KILL'),
      ];
    case 'returnLink':
      return returnLines(op);
    case 'deleteTable': {
      const table = `table ${op.family} ${quote(op.name)}`;
      return [`! nft list ${table} >/dev/null 2>&1 || nft delete ${table}`];
    }
    case 'deleteRoute':
      return script(deleteRoute(null, op.route)).map(orGone);
    case 'deleteRule':
      return script(deleteRule(null, op.rule)).map(orGone);
    case 'deleteNeighbour':
      return script(deleteNeighbour(null, op.neighbour)).map(orGone);
    case 'deleteLinks':
      return [
        comment('The devices of the lab in the machine itself carry its group.'),
        `[ -z "$(ip link show group ${op.group})" ] || ip link del group ${op.group}`,
      ];
    case 'restoreSysctl':
      return [comment(`${op.key} was set to ${op.value}; what it was before, only the machine knew.`)];
    case 'unlinkEtc':
      return [
        ...op.netns.map((netns) => `rm -rf ${quote(`/etc/netns/${netns}`)}`),
        '[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns',
      ];
    case 'deleteNetns':
      return [
        comment('Everything in a namespace goes with it, and a wire goes with either of its ends.'),
        ...forNetns(op.netns, 'ip netns del "$node"'),
      ];
    default:
      return assertNever(op);
  }
}

/** The command for those of the namespaces that are there. */
function forNetns(netns: readonly string[], command: string): string[] {
  return [
    `for node in ${netns.map(quote).join(' ')}; do`,
    `  [ ! -e "/run/netns/$node" ] || ${command}`,
    'done',
  ];
}

/** ip(8) has no way to ask for exactly this entry first. */
function orGone(line: string): string {
  return `${line} 2>/dev/null || true`;
}

function returnLines({ place, ifname, state }: Extract<UndoOp, { readonly kind: 'returnLink' }>): string[] {
  if (place === null) return [];
  const node = quote(place);
  const home = quote(state.ifname);
  return [
    comment('The network card goes home; its addresses and routes there have to be added again.'),
    `if [ -e ${quote(`/run/netns/${place}`)} ]; then`,
    `  ip -n ${node} link set dev ${quote(ifname)} down`,
    `  ip -n ${node} link set dev ${quote(ifname)} netns $$ name ${home}`,
    `  ip link set dev ${home} up`,
    'fi',
  ];
}
