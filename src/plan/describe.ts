// One op as one line, for messages and progress: the command that does the same, where there is one.

import { assertNever } from '../base/result.ts';
import type { Step, UndoOp } from './op.ts';
import { commandLine } from './shell.ts';
import { type Command, commandsOf, deleteNeighbour, deleteRoute, deleteRule, HOST_NETNS } from './words.ts';

/** What was tried, as `ip -n pc1 addr add 10.1.1.1/24 dev eth0`. */
export function describeOp(op: Step): string {
  if (op.kind === 'writeEtc') return `write ${Object.keys(op.files).join(' and ')} for /etc of the nodes`;
  if (op.kind === 'linkEtc') return `link the files for /etc of ${op.netns} to /etc/netns/${op.netns}`;
  if (op.kind === 'startContainer') return `start container ${op.node}`;
  if (op.kind === 'startAgain') return `start container ${op.node} again`;
  if (op.kind === 'undo') return describeUndo(op.undo);
  if (op.kind === 'awaitContainer') return `wait until ${op.node} ${conditionWords[op.condition]}`;
  const [command] = commandsOf(op);
  return command === undefined ? op.kind : lineOf(command);
}

/** What is waited for, after the name of the container. */
export const conditionWords = {
  started: 'has started',
  healthy: 'is healthy',
  completed: 'has ended with status 0',
} as const;

/** The same for a step of `down`. */
export function describeUndo(op: UndoOp): string {
  switch (op.kind) {
    case 'stopContainers':
      return `end the containers ${list(op.nodes)}`;
    case 'stopProcesses':
      return `stop the processes in ${list(op.netns)}`;
    case 'returnLink':
      return `ip ${op.place === null ? '' : `-n ${op.place} `}link set dev ${op.ifname} netns 1 name ${op.state.ifname}`;
    case 'deleteLinks':
      return `ip link del ${list(op.ifnames)}`;
    case 'deleteTable':
      return `nft delete table ${op.family} ${op.name}`;
    case 'deleteRoute':
      return lineOf(deleteRoute(null, op.route));
    case 'deleteRule':
      return lineOf(deleteRule(null, op.rule));
    case 'deleteNeighbour':
      return lineOf(deleteNeighbour(null, op.neighbour));
    case 'restoreSysctl':
      return commandLine(['sysctl', '-w', `${op.key}=${op.was}`]);
    case 'unlinkEtc':
      return `rm /etc/netns/${list(op.netns)}`;
    case 'deleteNetns':
      return `ip netns del ${list(op.netns)}`;
    default:
      return assertNever(op);
  }
}

function lineOf({ argv }: Command): string {
  return lineOfWords(argv);
}

/** Words on one line; those that matter to no reader are left out. */
export function lineOfWords(words: readonly string[]): string {
  const line = commandLine(words.map((word) => (word === HOST_NETNS ? 'host' : word)));
  return line.replaceAll(' numtxqueues 1 numrxqueues 1', '').replaceAll(/\s*\n\s*/g, ' ');
}

const SHOWN = 5;

function list(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).join(', ');
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown;
}
