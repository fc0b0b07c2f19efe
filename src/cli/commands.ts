// The commands and their options. Declarations only: a handler loads its command's module when it runs, so that no command
// pays for another.

import type { Argv, CommandModule } from 'yargs';

const json = { type: 'boolean', default: false, describe: 'print JSON' } as const;
const prefix = {
  type: 'string',
  describe: 'put this before the name of the lab and of every namespace',
} as const;
const vars = {
  type: 'string',
  array: true,
  nargs: 1,
  describe: 'set a variable of the file, NAME=VALUE',
} as const;

/** yargs reads a positional `-` as an option without a name, and makes it an empty text. */
function fileArgument(file: string): string {
  return file === '' && process.argv.includes('-') ? '-' : file;
}

/** The options by which a topology file is named; `FILE` may be `-` for standard input. */
function fileOptions<T>(y: Argv<T>) {
  return y
    .positional('file', {
      type: 'string',
      demandOption: true,
      describe: 'topology file, or - for standard input',
      coerce: fileArgument,
    })
    .option('prefix', prefix)
    .option('var', vars);
}

const up = (y: Argv) =>
  fileOptions(y)
    .option('json', { ...json, describe: 'print events as JSON, one a line' })
    .option('verbose', {
      alias: 'v',
      type: 'boolean',
      default: false,
      describe: 'show every step as an ip command',
    })
    .example('$0 up topologies/two-namespaces.yaml', 'make the lab')
    .example('$0 up lab.yaml --prefix b- --var MTU=1400', 'a second copy beside the first, with another MTU');

const down = (y: Argv) =>
  y
    .positional('lab', { type: 'string', describe: 'name of the lab; not needed when only one is up' })
    .option('all', { type: 'boolean', default: false, describe: 'take every lab down' })
    .option('wait', {
      type: 'boolean',
      default: false,
      describe: 'return when the kernel has destroyed the namespaces as well',
    })
    .option('json', { ...json, describe: 'print events as JSON, one a line' })
    .option('verbose', { alias: 'v', type: 'boolean', default: false, describe: 'show every step' })
    .example('$0 down', 'take down the only lab that is up')
    .example('$0 down --all', 'take down all of them');

const labArgument = (y: Argv) =>
  y
    .positional('lab', { type: 'string', describe: 'name of the lab; not needed when only one is up' })
    .option('json', json);

const explain = (y: Argv) =>
  fileOptions(y)
    .option('down', { type: 'boolean', default: false, describe: 'the commands that take it down instead' })
    .example('$0 explain lab.yaml', 'the lab as ip, nft and sysctl commands')
    .example('$0 explain lab.yaml | sudo bash', 'make the same lab without nslab')
    .example('$0 explain LINK_MTU', 'what an error code means');

const insideNode = (y: Argv) =>
  y
    .positional('node', { type: 'string', demandOption: true, describe: 'name of the node, or host' })
    .option('lab', { type: 'string', describe: 'the lab, where two labs have a node of that name' })
    .option('user', { alias: 'u', type: 'string', describe: 'run as USER[:GROUP]' });

const exec = (y: Argv) =>
  insideNode(y)
    .positional('command', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'command and its arguments',
    })
    .option('workdir', { alias: 'w', type: 'string', describe: 'start in this folder' })
    .option('env', {
      alias: 'e',
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'set an environment variable, K=V',
    })
    .example('$0 exec test_ns ping -c 3 10.1.1.2', 'options after the node belong to the command');

/** The command that the command line asked for. */
export class Chosen {
  readonly run: () => void | Promise<void>;

  constructor(run: () => void | Promise<void>) {
    this.run = run;
  }
}

/**
 * A handler only says what is to be run, and says it by throwing: after one that returns, yargs draws the help text of the
 * command, 15 to 30 ms for nothing. main.ts catches it.
 */
function choose(run: () => void | Promise<void>): never {
  throw new Chosen(run);
}

export const commands: CommandModule[] = [
  {
    command: 'up <file>',
    aliases: ['deploy'],
    describe: 'make the lab of a topology file',
    builder: up,
    handler: (args) => choose(async () => (await import('./commands/up.ts')).run(args as never)),
  },
  {
    command: 'down [lab]',
    aliases: ['destroy'],
    describe: 'take a lab down and leave the machine as it was',
    builder: down,
    handler: (args) => choose(async () => (await import('./commands/down.ts')).run(args as never)),
  },
  {
    command: 'exec <node> <command..>',
    describe: 'run a command inside a node',
    builder: exec,
    handler: () => choose(async () => (await import('./commands/exec.ts')).run('exec')),
  },
  {
    command: 'shell <node>',
    describe: 'open a login shell inside a node',
    builder: insideNode,
    handler: () => choose(async () => (await import('./commands/exec.ts')).run('shell')),
  },
  {
    command: 'ls',
    aliases: ['list'],
    describe: 'list the labs that are up',
    builder: (y: Argv) => y.option('json', json),
    handler: (args) => choose(async () => (await import('./commands/ls.ts')).run(args as never)),
  },
  {
    command: 'inspect [lab]',
    describe: 'show the nodes of a lab and their interfaces as the kernel has them',
    builder: labArgument,
    handler: (args) => choose(async () => (await import('./commands/inspect.ts')).run(args as never)),
  },
  {
    command: 'plan <file>',
    describe: 'show what up would do, step by step, and change nothing',
    builder: (y: Argv) => fileOptions(y).option('json', json),
    handler: (args) => choose(async () => (await import('./commands/plan.ts')).run(args as never)),
  },
  {
    command: 'explain <file>',
    describe: 'print the lab as ip, nft and sysctl commands, or explain an error code',
    builder: explain,
    handler: (args) => choose(async () => (await import('./commands/explain.ts')).run(args as never)),
  },
  {
    command: 'validate <file>',
    describe: 'check a topology file and change nothing',
    builder: (y: Argv) => fileOptions(y).option('json', json),
    handler: (args) => choose(async () => (await import('./commands/validate.ts')).run(args as never)),
  },
  {
    command: 'prune',
    describe: 'remove the records of labs that a reboot ended',
    builder: (y: Argv) => y.option('json', json),
    handler: (args) => choose(async () => (await import('./commands/prune.ts')).run(args as never)),
  },
  {
    command: 'schema',
    describe: 'print the JSON schema of topology files, for editors',
    handler: () => choose(async () => (await import('./commands/schema.ts')).run()),
  },
] as CommandModule[];
