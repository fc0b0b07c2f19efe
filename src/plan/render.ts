// The plan for a reader: what would be made, grouped by node, one line for each op; or the ops themselves as JSON. It prints
// what is there and decides nothing. Within a node the lines stand in the order in which the ops run.

import type { Lab } from '../model/lab.ts';
import { printTable } from '../nfnl/text.ts';
import { containerLines } from './container-text.ts';
import { conditionWords, lineOfWords } from './describe.ts';
import type { Op } from './op.ts';
import { commandsOf } from './words.ts';

/** The plan as text: a heading for each node, and under it a line for each op. */
export function renderPlan(lab: Lab, ops: readonly Op[]): string {
  const groups = new Map<string, string[]>(lab.nodes.map((node) => [node.place ?? HOST, []]));
  const names = new Map<string, string>(lab.nodes.map((node) => [node.name, node.place ?? HOST]));
  const users = viewUsers(ops);
  const shared: string[] = [];
  for (const op of ops) {
    if (op.kind === 'writeEtc') {
      shared.push(line('write', `${Object.keys(op.files).join(', ')} for ${count(users.get(op.view) ?? 0)}`));
      continue;
    }
    const name = groupOf(op, names);
    const lines = groups.get(name) ?? [];
    groups.set(name, lines);
    lines.push(...linesOf(op, users));
  }
  if (shared.length > 0) groups.set('files for /etc', shared);
  const head = `lab ${lab.name}: ${count(lab.nodes.length)}, ${ops.length} steps\n`;
  const blocks = [...groups]
    .filter(([, lines]) => lines.length > 0)
    .map(([name, lines]) => block(name, lines));
  return [head, ...blocks].join('\n');
}

/** The plan as one JSON document: the lab's name and the ops as they are. */
export function planDocument(
  lab: Lab,
  ops: readonly Op[],
): { readonly lab: string; readonly ops: readonly Op[] } {
  return { lab: lab.name, ops };
}

const HOST = 'host';

function block(name: string, lines: readonly string[]): string {
  return `${name}\n${lines.map((text) => `  ${text}\n`).join('')}`;
}

function count(nodes: number): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`;
}

function line(word: string, text: string): string {
  return `${word.padEnd(7)} ${text}`;
}

/** Under which heading an op stands: where it happens, and what is about a container under the container. */
function groupOf(op: Exclude<Op, { readonly kind: 'writeEtc' }>, names: ReadonlyMap<string, string>): string {
  switch (op.kind) {
    case 'createNetns':
    case 'linkEtc':
      return op.netns;
    case 'startContainer':
    case 'runCommand':
      return names.get(op.node) ?? op.node;
    case 'awaitContainer': {
      const [waiter = ''] = op.waiters;
      return names.get(waiter) ?? waiter;
    }
    default:
      return op.place ?? HOST;
  }
}

/** How many nodes see each view. */
function viewUsers(ops: readonly Op[]): ReadonlyMap<string, number> {
  const users = new Map<string, number>();
  for (const op of ops) if (op.kind === 'linkEtc') users.set(op.view, (users.get(op.view) ?? 0) + 1);
  return users;
}

function linesOf(
  op: Exclude<Op, { readonly kind: 'writeEtc' }>,
  users: ReadonlyMap<string, number>,
): string[] {
  switch (op.kind) {
    case 'createNetns':
      return [line('netns', op.userns === undefined ? op.netns : `${op.netns}, owned by a user namespace`)];
    case 'moveLink':
      return [line('link', `${op.ifname} is ${op.device} of the machine, moved in`)];
    case 'setSysctl':
      return [line('sysctl', `${op.key} = ${op.value}`)];
    case 'runCommand':
      return [line('run', lineOfWords(op.argv))];
    case 'startContainer':
      return containerLines(op).map((text, i) => line(i === 0 ? 'start' : '', text));
    case 'awaitContainer':
      return [line('wait', `until ${op.node} ${conditionWords[op.condition]}`)];
    case 'linkEtc': {
      const others = (users.get(op.view) ?? 1) - 1;
      return [line('/etc', others === 0 ? 'files of its own' : `files shared with ${others} more`)];
    }
    case 'addTable':
      // A table is the one op that fills many lines.
      return printTable(op.table)
        .trimEnd()
        .split('\n')
        .map((text, i) => (i === 0 ? line('nft', text) : line('', text.replaceAll('\t', '  '))));
    case 'setWireguard': {
      const port = op.listen_port === undefined ? '' : ` port ${op.listen_port},`;
      return [line('wg', `${op.ifname}${port} ${op.peers.length} peer${op.peers.length === 1 ? '' : 's'}`)];
    }
    default:
      return commandsOf(op).map(({ words }) => commandOf(words));
  }
}

/** `addr add 10.1.1.1/24 dev eth0` as `addr 10.1.1.1/24 dev eth0`: that something is added, the whole plan says. */
function commandOf(words: readonly string[]): string {
  const [object = '', verb = '', ...rest] = words;
  const about = rest[0] === 'name' || rest[0] === 'dev' ? rest.slice(1) : rest;
  return line(verb === 'set' || verb === 'del' ? verb : object, lineOfWords(about));
}
