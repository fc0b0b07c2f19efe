// What stands where a command wants a word: a lab, a node, a file. By the names of positionals and options, which mean the same in all
// commands; what is not in the table is a word that nobody can know.

import type { CommandDefinition, OptionDefinition, PositionalDefinition } from './definitions.ts';

export type WordKind =
  | 'labs'
  | 'nodes'
  | 'containers'
  | 'interfaces'
  | 'images'
  | 'topologies'
  | 'files'
  | 'commands'
  | 'copy'
  | 'labs-or-containers'
  | 'shells'
  | 'none';

const positionals: Readonly<Record<string, WordKind>> = {
  lab: 'labs',
  node: 'nodes',
  nodes: 'containers',
  name: 'none',
  file: 'topologies',
  image: 'images',
  images: 'images',
  input: 'files',
  source: 'copy',
  target: 'copy',
  shell: 'shells',
  interface: 'interfaces',
  interfaces: 'interfaces',
  points: 'interfaces',
  ends: 'interfaces',
  end: 'interfaces',
};

/** Where the same word means something else. */
const ofCommand: Readonly<Record<string, Readonly<Record<string, WordKind>>>> = {
  exec: { command: 'commands' },
  run: { command: 'images' },
  create: { command: 'images' },
  inspect: { name: 'labs-or-containers' },
  commit: { node: 'containers' },
  logs: { node: 'containers' },
  attach: { node: 'containers' },
  top: { node: 'containers' },
  changes: { node: 'containers' },
  export: { node: 'containers' },
};

const options: Readonly<Record<string, WordKind>> = {
  lab: 'labs',
  output: 'files',
  ca: 'files',
  rootfs: 'files',
  'env-file': 'files',
  junit: 'files',
  write: 'files',
};

export function kindOfPositional(command: CommandDefinition, { name }: PositionalDefinition): WordKind {
  return ofCommand[command.name]?.[name] ?? positionals[name] ?? 'none';
}

export function kindOfOption({ name, choices }: OptionDefinition): WordKind | `choice:${string}` {
  return choices.length > 0 ? `choice:${choices.join('|')}` : (options[name] ?? 'none');
}
