// The commands and their options. Declarations only: a handler loads its command's module when it runs, so that no command
// pays for another.

import type { Argv, CommandModule } from 'yargs';
import { runOptions } from './run-words.ts';

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

const inLab = { type: 'string', describe: 'the lab, where two labs have a container of that name' } as const;

const container = (y: Argv) =>
  y
    .positional('node', { type: 'string', demandOption: true, describe: 'name of the container' })
    .option('lab', inLab);

const containers = (y: Argv) =>
  y
    .positional('nodes', { type: 'string', array: true, demandOption: true, describe: 'names of containers' })
    .option('lab', inLab);

const grace = {
  alias: 't',
  type: 'number',
  describe: 'seconds until it is killed; what the file says by default',
} as const;

const ps = (y: Argv) =>
  y
    .option('lab', { type: 'string', describe: 'only those of this lab' })
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'names only' })
    .option('json', json);

const logs = (y: Argv) =>
  container(y)
    .option('follow', { alias: 'f', type: 'boolean', default: false, describe: 'go on until it ends' })
    .option('tail', { alias: 'n', type: 'string', describe: 'only the last so many lines' })
    .option('since', { type: 'string', describe: 'only from then on: 10m, or a date' })
    .option('timestamps', {
      alias: 't',
      type: 'boolean',
      default: false,
      describe: 'when, before each line',
    });

const attach = (y: Argv) =>
  container(y)
    .option('stdin', { type: 'boolean', default: true, describe: 'pass on what is typed (--no-stdin)' })
    .option('detach-keys', { type: 'string', describe: 'what leaves it running; ctrl-p,ctrl-q by default' });

const stats = (y: Argv) =>
  y
    .positional('nodes', { type: 'string', array: true, describe: 'names of containers; all by default' })
    .option('lab', inLab)
    .option('stream', { type: 'boolean', default: true, describe: 'again and again (--no-stream: once)' })
    .option('json', json);

const run = (y: Argv) =>
  y
    .positional('command', { type: 'string', array: true, describe: 'command and its arguments' })
    .options(runOptions)
    .example('$0 run --rm -it --rootfs host sh', 'a shell in a copy of this machine')
    .example('$0 run -d --name web --rootfs ./alpine -m 64m httpd -f', 'a server, left running');

const verbs = [
  [
    'stop',
    'ask containers to end, and kill those that do not',
    (y: Argv) => containers(y).option('time', grace),
  ],
  ['start', 'start containers that have ended', containers],
  ['restart', 'stop containers and start them again', (y: Argv) => containers(y).option('time', grace)],
  [
    'kill',
    'send a signal to containers',
    (y: Argv) =>
      containers(y).option('signal', {
        alias: 's',
        type: 'string',
        default: 'KILL',
        describe: 'which signal',
      }),
  ],
  ['pause', 'freeze containers', containers],
  ['unpause', 'let frozen containers go on', containers],
  ['wait', 'wait until containers have ended, and print their exit statuses', containers],
] as const;

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
    command: 'run [command..]',
    describe: 'run a command in a container of its own',
    builder: run,
    handler: (args) => choose(async () => (await import('./commands/run.ts')).run(args as never)),
  },
  {
    command: 'ps',
    describe: 'list the containers of all labs',
    builder: ps,
    handler: (args) => choose(async () => (await import('./commands/ps.ts')).run(args as never)),
  },
  {
    command: 'logs <node>',
    describe: 'print what a container has printed',
    builder: logs,
    handler: (args) => choose(async () => (await import('./commands/logs.ts')).run(args as never)),
  },
  ...verbs.map(
    ([verb, describe, builder]): CommandModule => ({
      command: `${verb} <nodes..>`,
      describe,
      builder,
      handler: (args) =>
        choose(async () => (await import('./commands/lifecycle.ts')).run(verb, args as never)),
    }),
  ),
  {
    command: 'attach <node>',
    describe: 'connect the terminal to a running container',
    builder: attach,
    handler: (args) => choose(async () => (await import('./commands/attach.ts')).run(args as never)),
  },
  {
    command: 'top <node>',
    describe: 'list the processes of a container',
    builder: (y: Argv) => container(y).option('json', json),
    handler: (args) => choose(async () => (await import('./commands/top.ts')).run(args as never)),
  },
  {
    command: 'stats [nodes..]',
    describe: 'show what containers use of processor, memory and disk',
    builder: stats,
    handler: (args) => choose(async () => (await import('./commands/stats.ts')).run(args as never)),
  },
  {
    command: 'changes <node>',
    aliases: ['diff'],
    describe: 'list what a container has changed in its files',
    builder: (y: Argv) => container(y).option('json', json),
    handler: (args) => choose(async () => (await import('./commands/changes.ts')).run(args as never)),
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
