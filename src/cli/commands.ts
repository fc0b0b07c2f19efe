// The commands and their options. Declarations only: a handler loads its command's module when it runs, so that no command
// pays for another.

import type { Argv, CommandModule } from 'yargs';
import { fileArgument } from './file-argument.ts';
import { imageCommand } from './image-commands.ts';
import { loginCommands, transferCommands } from './registry-commands.ts';
import { createOptions, limitOptions, runOptions } from './run-words.ts';

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

const inLab = { type: 'string', describe: 'the lab, where two labs have a container of that name' } as const;

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
    .option('wait', {
      type: 'boolean',
      default: true,
      describe: 'wait until containers with a health check are healthy (--no-wait: do not)',
    })
    .option('wait-timeout', { type: 'number', default: 120, describe: 'seconds that this may take' })
    .option('pull', {
      type: 'string',
      choices: ['always', 'missing', 'never'],
      describe: 'when images are pulled, whatever the file says',
    })
    .option('copies', {
      type: 'number',
      describe: 'make so many labs of the file, NAME-1, NAME-2, ..., for a class',
    })
    .example(
      '$0 up lab.yaml --copies 30',
      'thirty labs; nslab exec NAME-7-NODE or --lab NAME-7 is in the seventh',
    )
    .example('$0 up topologies/two-namespaces.yaml', 'make the lab')
    .example('$0 up lab.yaml --prefix b- --var MTU=1400', 'a second copy beside the first, with another MTU');

const apply = (y: Argv) =>
  up(y)
    .option('dry-run', { type: 'boolean', default: false, describe: 'print the steps, and do nothing' })
    .example('$0 apply lab.yaml --dry-run', 'what would be done')
    .example('$0 apply lab.yaml', 'do it; connections through what stays go on');

const diff = (y: Argv) =>
  fileOptions(y)
    .option('json', json)
    .example('$0 diff lab.yaml', 'of a lab that is up, or of namespaces made by hand that have its names')
    .example('$0 diff lab.yaml --json', 'the same for a program');

const down = (y: Argv) =>
  y
    .positional('lab', { type: 'string', describe: 'name of the lab; not needed when only one is up' })
    .option('all', { type: 'boolean', default: false, describe: 'take every lab down' })
    .option('copies', {
      type: 'boolean',
      default: false,
      describe: 'take down all copies of the lab, those of up --copies',
    })
    .option('wait', {
      type: 'boolean',
      default: false,
      describe: 'return when the kernel has destroyed the namespaces as well',
    })
    .option('json', { ...json, describe: 'print events as JSON, one a line' })
    .option('verbose', { alias: 'v', type: 'boolean', default: false, describe: 'show every step' })
    .example('$0 down', 'take down the only lab that is up')
    .example('$0 down --all', 'take down all of them')
    .example('$0 down docker0 --copies', 'take down docker0-1, docker0-2, ...');

const inspect = (y: Argv) =>
  y
    .positional('name', {
      type: 'string',
      describe: 'name of a lab or a container; not needed when only one lab is up',
    })
    .option('lab', inLab)
    .option('json', json)
    .example('$0 inspect', 'the interfaces of the only lab that is up')
    .example('$0 inspect web', 'state, command, limits, mounts and network of the container web');

const test = (y: Argv) =>
  y
    .positional('name', {
      type: 'string',
      describe: 'lab that is up, or topology file; not needed when only one lab is up',
      coerce: (name: string | undefined) => (name === undefined ? name : fileArgument(name)),
    })
    .option('all', {
      type: 'boolean',
      default: false,
      describe: 'the tests of all labs that are up, one line a lab',
    })
    .option('matrix', {
      type: 'boolean',
      default: false,
      describe: 'ping every node from every node instead',
    })
    .option('json', json)
    .option('tap', { type: 'boolean', default: false, describe: 'print TAP' })
    .option('junit', { type: 'string', describe: 'write JUnit XML to this file as well' })
    .option('timeout', { type: 'number', default: 2, describe: 'seconds that an answer may take' })
    .option('prefix', prefix)
    .option('var', vars)
    .example('$0 test', 'the tests of the only lab that is up, and why those that failed did')
    .example('$0 test homework.yaml', 'of a file, on namespaces of its names that somebody made by hand')
    .example('$0 test --all --junit scores.xml', 'one score sheet of all labs')
    .example('$0 test --matrix', 'who reaches whom')
    .epilogue('Ends with 0 when all passed, and with 6 when one did not.');
const graph = (y: Argv) =>
  y
    .positional('what', {
      type: 'string',
      describe:
        'topology file, - for standard input, or a lab that is up; not needed when only one lab is up',
      coerce: fileArgument,
    })
    .option('prefix', prefix)
    .option('var', vars)
    .option('format', {
      alias: 'f',
      type: 'string',
      default: 'ascii',
      choices: ['ascii', 'mermaid', 'dot', 'svg', 'html', 'json'],
      describe: 'of the picture',
    })
    .option('output', { alias: 'o', type: 'string', describe: 'file; standard output by default' })
    .example('$0 graph topologies/ring.yaml', 'as a tree, in the terminal')
    .example('$0 graph ring --format html -o ring.html', 'of a lab that is up: what is up and what is down')
    .example('$0 graph lab.yaml --format dot | dot -Tpdf', 'for other programs');

const impair = (y: Argv) =>
  y
    .positional('end', { type: 'string', describe: 'NODE:INTERFACE; without it what is set is listed' })
    .positional('words', {
      type: 'string',
      array: true,
      describe: 'delay TIME [JITTER], loss, corrupt, duplicate, reorder %, rate, limit PACKETS, or flap TIME',
    })
    .option('both', { type: 'boolean', default: false, describe: 'at both ends of the wire' })
    .option('clear', { type: 'boolean', default: false, describe: 'take away all that is set there' })
    .option('count', { alias: 'c', type: 'number', describe: 'flap: how often; until ctrl-c by default' })
    .option('lab', { type: 'string', describe: 'the lab, where two labs have a node of that name' })
    .option('json', json)
    .example('$0 impair gw:eth0 delay 20ms 2ms loss 1%', 'what leaves gw by eth0; what is set besides stays')
    .example('$0 impair gw:eth0 rate 10mbit --both', 'in both directions of the wire')
    .example('$0 impair gw:eth0 loss 0%', 'no more loss; the delay stays')
    .example('$0 impair gw:eth0 flap 2s', 'the link goes down and up every two seconds');

const snapshot = (y: Argv) =>
  y
    .positional('names', {
      type: 'string',
      array: true,
      describe: 'namespaces by name or path, labs, nodes; all there are by default',
    })
    .option('pid', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'the namespace of a process, PID or PID=NAME',
    })
    .option('name', { type: 'string', describe: 'what the lab is called' })
    .option('output', { alias: 'o', type: 'string', describe: 'file; standard output by default' })
    .option('json', json)
    .example('$0 snapshot -o lab.yaml', 'all namespaces, whoever made them')
    .example('$0 snapshot ns1 ns2', 'two of ip netns, with what the machine has of their wires')
    .example('$0 snapshot --pid $(pidof nginx)=web', 'the network of a container of somebody else');

const prune = (y: Argv) =>
  y
    .option('json', json)
    .example('$0 prune', 'after a reboot: records, files of containers, names under /run/netns');

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
      describe: 'set an environment variable, K=V or K',
    })
    .option('interactive', { alias: 'i', type: 'boolean', describe: 'container: pass standard input on' })
    .option('tty', { alias: 't', type: 'boolean', describe: 'container: give the command a terminal' })
    .option('detach', { alias: 'd', type: 'boolean', describe: 'container: leave it running and return' })
    .option('privileged', { type: 'boolean', describe: 'container: with all that this machine gives' })
    .example('$0 exec test_ns ping -c 3 10.1.1.2', 'options after the node belong to the command')
    .example('$0 exec web sh', 'a shell in a container, with a terminal where there is one')
    .example('tar c . | $0 exec -i web tar x -C /srv', 'with -i or -t the flags decide, as with Docker');

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
    .option('all', { alias: 'a', type: 'boolean', default: false, describe: 'also those that do not run' })
    .option('lab', { type: 'string', describe: 'only those of this lab' })
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'names only' })
    .option('json', json)
    .example('$0 ps', 'containers that run')
    .example('$0 ps -a --lab shop', 'all of the lab shop, with the exit status of those that have ended');

const logs = (y: Argv) =>
  container(y)
    .option('follow', { alias: 'f', type: 'boolean', default: false, describe: 'go on until it ends' })
    .option('tail', { alias: 'n', type: 'string', describe: 'only the last so many lines' })
    .option('since', { type: 'string', describe: 'only from then on: 10m ago, or a date' })
    .option('until', { type: 'string', describe: 'only before then' })
    .option('timestamps', {
      alias: 't',
      type: 'boolean',
      default: false,
      describe: 'when, before each line',
    })
    .example('$0 logs -f --tail 20 web', 'the last 20 lines, and what comes')
    .example('$0 logs -t --since 10m web', 'the last ten minutes, with times');

const attach = (y: Argv) =>
  container(y)
    .option('stdin', { type: 'boolean', default: true, describe: 'pass on what is typed (--no-stdin)' })
    .option('detach-keys', { type: 'string', describe: 'what leaves it running; ctrl-p,ctrl-q by default' })
    .example('$0 attach web', 'ctrl-p ctrl-q leaves a container with a terminal running')
    .example('$0 attach --detach-keys ctrl-x web', 'ctrl-x does');

const stats = (y: Argv) =>
  y
    .positional('names', {
      type: 'string',
      array: true,
      describe: 'labs, nodes or containers; all by default',
    })
    .option('lab', inLab)
    .option('interfaces', { type: 'boolean', default: false, describe: 'only what passes interfaces' })
    .option('containers', { type: 'boolean', default: false, describe: 'only what containers use' })
    .option('stream', { type: 'boolean', default: true, describe: 'again and again (--no-stream: once)' })
    .option('json', json)
    .example('$0 stats', 'all interfaces and containers, every second until ctrl-c')
    .example('$0 stats r1 r2', 'what passes the interfaces of two nodes')
    .example('$0 stats --no-stream --json web', 'a container, once, for a program')
    .epilogue('--json prints an array of one kind, or {"interfaces": [...], "containers": [...]}.');

const capture = (y: Argv) =>
  y
    .positional('targets', {
      type: 'string',
      array: true,
      describe: 'NODE or NODE:INTERFACE; all but lo by default',
    })
    .option('lab', { type: 'string', describe: 'the lab; not needed when only one is up' })
    .option('write', { alias: 'w', type: 'string', describe: 'write pcapng to this file, or - for a pipe' })
    .option('filter', { alias: 'f', type: 'string', describe: 'only these packets, as tcpdump has it' })
    .option('count', { alias: 'c', type: 'number', describe: 'end after so many packets' })
    .option('snaplen', { type: 'number', default: 262_144, describe: 'bytes of each packet' })
    .option('duration', { type: 'number', describe: 'end after so many seconds' })
    .example('$0 capture -f icmp', 'watch a ping cross the lab, a line for each interface it passes')
    .example('$0 capture r1 pc1:eth0 -w lab.pcapng', 'one file, in which each interface has its name')
    .example('$0 capture -w - | wireshark -k -i -', 'live in Wireshark')
    .epilogue('With -f, the name of a node is a host: -f "host pc2 and tcp port 80".');

const run = (y: Argv) =>
  y
    .positional('command', {
      type: 'string',
      array: true,
      describe: 'image, unless there is --rootfs, then the command and its arguments',
    })
    .options(runOptions)
    .example('$0 run --rm -it base', 'a shell in a container on the image base')
    .example('$0 run --rm -it --rootfs host sh', 'a shell in a copy of this machine')
    .example('$0 run -d --name web --rootfs ./alpine -m 64m httpd -f', 'a server, left running')
    .epilogue(
      'Ends as the command does, 128 + N for signal N; 125: nslab failed, 126: the command cannot be run, 127: there is none.',
    );

const create = (y: Argv) =>
  y
    .positional('command', {
      type: 'string',
      array: true,
      describe: 'image, unless there is --rootfs, then the command and its arguments',
    })
    .options(createOptions)
    .example('$0 create --name web --rootfs ./alpine httpd -f', 'made, its files and limits are there')
    .example('$0 start web', 'and now it runs');

const update = (y: Argv) =>
  containers(y)
    .options(limitOptions)
    .example('$0 update -m 128m --cpus 0.5 web', 'while it runs; what is not named stays')
    .example('$0 update --pids-limit -1 web db', 'as many processes as they like');

const rm = (y: Argv) =>
  containers(y)
    .option('force', {
      alias: 'f',
      type: 'boolean',
      default: false,
      describe: 'kill it if it runs, and say nothing if it is not there',
    })
    .option('volumes', {
      alias: 'v',
      type: 'boolean',
      default: false,
      describe: "as Docker's: volumes without a name go with it, as they do in any case",
    })
    .example('$0 rm web', 'the container, its files, its log; named volumes stay')
    .example('$0 rm -f web', 'also one that runs');

const stop = (y: Argv) =>
  containers(y)
    .option('time', grace)
    .example('$0 stop web', 'SIGTERM, and SIGKILL after ten seconds')
    .example('$0 stop -t 1 web db', 'after one');

const start = (y: Argv) =>
  containers(y)
    .option('attach', {
      alias: 'a',
      type: 'boolean',
      default: false,
      describe: 'show what it prints, end as it does',
    })
    .option('interactive', {
      alias: 'i',
      type: 'boolean',
      default: false,
      describe: 'the same, and pass on what is typed',
    })
    .option('detach-keys', { type: 'string', describe: 'what leaves it running; ctrl-p,ctrl-q by default' })
    .example('$0 start web', 'a container that was created or has ended')
    .example('$0 start -ai shell', 'in the foreground, as run does');

const restart = (y: Argv) =>
  containers(y).option('time', grace).example('$0 restart web', 'its wires and its files stay');

const kill = (y: Argv) =>
  containers(y)
    .option('signal', { alias: 's', type: 'string', default: 'KILL', describe: 'which signal' })
    .example('$0 kill web', 'at once')
    .example('$0 kill -s HUP web', 'another signal, to its process 1');

const pause = (y: Argv) => containers(y).example('$0 pause web', 'its processes get no time until unpause');
const unpause = (y: Argv) => containers(y).example('$0 unpause web', 'they go on where they were');
const wait = (y: Argv) =>
  containers(y).example('$0 wait web', 'prints 0, or what it ended with; 128 + N for signal N');

const commit = (y: Argv) =>
  container(y)
    .positional('name', { type: 'string', demandOption: true, describe: 'name for the image' })
    .option('change', {
      alias: 'c',
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'instruction of a Dockerfile: CMD, ENV, ...',
    })
    .option('message', { alias: 'm', type: 'string', describe: 'comment for the history' })
    .option('author', { alias: 'a', type: 'string', describe: 'who made it' })
    .option('pause', { type: 'boolean', default: true, describe: 'it stands still meanwhile (--no-pause)' })
    .example('$0 commit web web:mine', 'what web has changed, as an image')
    .example(`$0 commit -c 'CMD ["httpd", "-f"]' web web:mine`, 'and what it runs');

const copy = (y: Argv) =>
  y
    .positional('source', {
      type: 'string',
      demandOption: true,
      describe: 'NODE:PATH or a path of this machine',
      coerce: fileArgument,
    })
    .positional('target', {
      type: 'string',
      demandOption: true,
      describe: 'the other of the two',
      coerce: fileArgument,
    })
    .option('lab', inLab)
    .example('$0 cp web:/etc/hosts .', 'out of a container')
    .example('$0 cp site/. web:/www', 'what is in a folder into one');

const shell = (y: Argv) =>
  insideNode(y)
    .example('$0 shell pc1', 'what is typed now runs in pc1; exit or ctrl-d leaves it')
    .example('$0 shell --lab class-7 pc1', 'the pc1 of that lab');

const completion = (y: Argv) =>
  y
    .positional('shell', {
      type: 'string',
      demandOption: true,
      choices: ['bash', 'zsh', 'fish'],
      describe: 'which shell',
    })
    .example('$0 completion bash > /etc/bash_completion.d/nslab', 'for all users of bash')
    .example('source <($0 completion bash)', 'for this shell only');

const doctor = (y: Argv) =>
  y
    .option('json', json)
    .option('all', { alias: 'a', type: 'boolean', default: false, describe: 'also what is well' })
    .example('$0 doctor', 'what is missing, and how to mend it')
    .example('$0 doctor --all', 'everything that was looked at')
    .epilogue('Changes nothing. Ends with 4 when something is missing without which no lab comes up.');

const verbs = [
  ['stop', 'ask containers to end, and kill those that do not', stop],
  ['start', 'start containers that were created or have ended', start],
  ['restart', 'stop containers and start them again', restart],
  ['kill', 'send a signal to containers', kill],
  ['pause', 'freeze containers', pause],
  ['unpause', 'let frozen containers go on', unpause],
  ['wait', 'wait until containers have ended, and print their exit statuses', wait],
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
    handler: (args) =>
      choose(async () => {
        if (args['copies'] === undefined) await (await import('./commands/up.ts')).run(args as never);
        else await (await import('./commands/up-copies.ts')).run(args as never);
      }),
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
    builder: shell,
    handler: () => choose(async () => (await import('./commands/exec.ts')).run('shell')),
  },
  {
    command: 'run [command..]',
    describe: 'run a command in a container of its own',
    builder: run,
    handler: (args) => choose(async () => (await import('./commands/run.ts')).run(args as never)),
  },
  {
    command: 'create [command..]',
    describe: 'make a container as run does, and do not start it',
    builder: create,
    handler: (args) => choose(async () => (await import('./commands/run.ts')).create(args as never)),
  },
  {
    command: 'rm <nodes..>',
    describe: 'remove containers of run and create, with their files',
    builder: rm,
    handler: (args) => choose(async () => (await import('./commands/rm.ts')).run(args as never)),
  },
  {
    // What a monitor runs (kernel/helper.ts).
    command: '_remove <lab>',
    describe: false,
    handler: (args) =>
      choose(async () => (await import('./commands/rm.ts')).removeAtEnd(String(args['lab']))),
  },
  {
    command: 'update <nodes..>',
    describe: 'change limits of containers while they run',
    builder: update,
    handler: (args) => choose(async () => (await import('./commands/update.ts')).run(args as never)),
  },
  {
    command: 'ps',
    describe: 'list the containers of all labs that run; -a: all',
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
    builder: (y: Argv) =>
      container(y)
        .option('json', json)
        .example('$0 top web', 'pids as the machine and as the container counts them'),
    handler: (args) => choose(async () => (await import('./commands/top.ts')).run(args as never)),
  },
  {
    command: 'stats [names..]',
    describe:
      'show what passes the interfaces of labs, and what containers use of processor, memory and disk',
    builder: stats,
    handler: (args) => choose(async () => (await import('./commands/stats.ts')).run(args as never)),
  },
  {
    command: 'capture [targets..]',
    describe: 'show the packets of a lab as they pass, or write them to a file for Wireshark',
    builder: capture,
    handler: (args) => choose(async () => (await import('./commands/capture.ts')).run(args as never)),
  },
  {
    command: 'events [lab]',
    describe: 'tell what changes in a lab: links, addresses, routes, neighbours, containers',
    builder: (y: Argv) =>
      y
        .positional('lab', { type: 'string', describe: 'name of the lab; not needed when only one is up' })
        .option('json', { ...json, describe: 'print events as JSON, one a line' })
        .example('$0 events', 'a line for each change, until ctrl-c or the lab is down'),
    handler: (args) => choose(async () => (await import('./commands/events.ts')).run(args as never)),
  },
  {
    command: 'changes <node>',
    describe: 'list what a container has changed in its files',
    builder: (y: Argv) =>
      container(y).option('json', json).example('$0 changes web', 'A added, C changed, D deleted'),
    handler: (args) => choose(async () => (await import('./commands/changes.ts')).run(args as never)),
  },
  imageCommand(choose),
  ...transferCommands(choose),
  ...loginCommands(choose),
  {
    command: 'commit <node> <name>',
    describe: 'make an image of a container and what it has changed',
    builder: commit,
    handler: (args) => choose(async () => (await import('./commands/copy.ts')).commit(args as never)),
  },
  {
    command: 'cp <source> <target>',
    describe: 'copy files into or out of a container',
    builder: copy,
    handler: (args) => choose(async () => (await import('./commands/copy.ts')).copy(args as never)),
  },
  {
    command: 'export <node>',
    describe: 'write all files of a container as a tar',
    builder: (y: Argv) =>
      container(y)
        .option('output', {
          alias: 'o',
          type: 'string',
          describe: 'file; standard output by default',
        })
        .example('$0 export web -o web.tar', 'as tar(1) reads it')
        .example('$0 export web | tar t', 'what is in it'),
    handler: (args) => choose(async () => (await import('./commands/copy.ts')).exportFiles(args as never)),
  },
  {
    command: 'ls',
    aliases: ['list'],
    describe: 'list the labs that are up',
    builder: (y: Argv) =>
      y
        .option('json', json)
        .example('$0 ls', 'name, state, size and file of each lab')
        .example("$0 ls --json | jq -r '.[].lab'", 'the names alone'),
    handler: (args) => choose(async () => (await import('./commands/ls.ts')).run(args as never)),
  },
  {
    command: 'inspect [name]',
    describe: 'show the nodes of a lab and their interfaces as the kernel has them, or a container',
    builder: inspect,
    handler: (args) => choose(async () => (await import('./commands/inspect.ts')).run(args as never)),
  },
  {
    command: 'test [name]',
    describe: 'run the tests of a lab: what passed, the points, and where packets died',
    builder: test,
    handler: (args) => choose(async () => (await import('./commands/test.ts')).run(args as never)),
  },
  {
    command: 'plan <file>',
    describe: 'show what up would do, step by step, and change nothing',
    builder: (y: Argv) =>
      fileOptions(y)
        .option('json', json)
        .example('$0 plan lab.yaml', 'the steps, grouped by node')
        .example('$0 plan lab.yaml --var MTU=1400 --json', 'for a program'),
    handler: (args) => choose(async () => (await import('./commands/plan.ts')).run(args as never)),
  },
  {
    command: 'diff <file>',
    describe: 'compare the file with what the kernel has; status 0 same, 3 different',
    builder: diff,
    handler: (args) => choose(async () => (await import('./commands/diff.ts')).run(args as never)),
  },
  {
    command: 'apply <file>',
    describe: 'make the kernel as the file says, and touch nothing else',
    builder: apply,
    handler: (args) => choose(async () => (await import('./commands/up.ts')).apply(args as never)),
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
    builder: (y: Argv) =>
      fileOptions(y)
        .option('json', json)
        .example('$0 validate lab.yaml', 'every mistake with its line, and exit status 3')
        .example('generate | $0 validate -', 'from standard input'),
    handler: (args) => choose(async () => (await import('./commands/validate.ts')).run(args as never)),
  },
  {
    command: 'graph [what]',
    describe: 'draw a topology file, or a lab that is up as the kernel has it',
    builder: graph,
    handler: (args) => choose(async () => (await import('./commands/graph.ts')).run(args as never)),
  },
  {
    command: 'impair [end] [words..]',
    describe: 'delay, lose, damage and slow down what leaves an interface, or list what is set',
    builder: impair,
    handler: (args) => choose(async () => (await import('./commands/impair.ts')).run(args as never)),
  },
  {
    command: 'snapshot [names..]',
    describe: 'print the topology file of namespaces that are there, whoever made them',
    builder: snapshot,
    handler: (args) => choose(async () => (await import('./commands/snapshot.ts')).run(args as never)),
  },
  {
    command: 'prune',
    describe: 'remove what a reboot has left of labs, and containers of --rm whose monitor was killed',
    builder: prune,
    handler: (args) => choose(async () => (await import('./commands/prune.ts')).run(args as never)),
  },
  {
    command: 'schema',
    describe: 'print the JSON schema of topology files, for editors',
    builder: (y: Argv) => y.example('$0 schema > schema.json', 'yaml-language-server: $schema=./schema.json'),
    handler: () => choose(async () => (await import('./commands/schema.ts')).run()),
  },
  {
    command: 'doctor',
    describe: 'tell what this machine lacks for labs, and how to mend it',
    builder: doctor,
    handler: (args) => choose(async () => (await import('./commands/doctor.ts')).run(args as never)),
  },
  {
    command: 'completion <shell>',
    describe: 'print the completion script of a shell',
    builder: completion,
    handler: (args) =>
      choose(async () => (await import('./commands/completion.ts')).run(args['shell'] as never, commands)),
  },
  {
    command: 'man',
    describe: 'print the manual page',
    builder: (y: Argv) =>
      y
        .example('$0 man | man -l -', 'read it')
        .example('$0 man > /usr/local/share/man/man8/nslab.8', 'so that `man nslab` finds it'),
    handler: () => choose(async () => (await import('./commands/man.ts')).run(commands)),
  },
] as CommandModule[];
