// `nslab pull push login logout`: the commands that speak to a registry, and their options. Declarations only, as in commands.ts.

import type { Argv, CommandModule } from 'yargs';

type Run = (run: () => Promise<void>) => never;

const connection = <T>(y: Argv<T>) =>
  y
    .option('insecure', {
      type: 'boolean',
      default: false,
      describe: 'plain HTTP and any certificate will do for this registry',
    })
    .option('ca', { type: 'string', describe: "certificate of the registry's authority, a file" })
    .option('timeout', { type: 'number', describe: 'seconds without a byte until it is tried again; 30' });

const transfer = (y: Argv) =>
  connection(y)
    .positional('image', {
      type: 'string',
      demandOption: true,
      describe: '[HOST[:PORT]/]PATH[:TAG][@DIGEST]',
    })
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'no progress' })
    .option('json', { type: 'boolean', default: false, describe: 'print events as JSON, one a line' });

const pull = (y: Argv) =>
  transfer(y)
    .option('platform', { type: 'string', describe: 'OS/ARCHITECTURE[/VARIANT]; this machine by default' })
    .option('mirror', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'ask this host first, HOST[:PORT][/FOLDER]; /etc/nslab/registries.yaml has others',
    })
    .example('$0 pull alpine', 'docker.io/library/alpine:latest')
    .example(
      '$0 pull localhost:5000/team/web:1.2',
      'from a registry on this machine, which may speak plain HTTP',
    );

const registry = (y: Argv) =>
  y.positional('registry', { type: 'string', default: 'docker.io', describe: 'HOST[:PORT]' });

const login = (y: Argv) =>
  connection(registry(y))
    .option('username', { alias: 'u', type: 'string', describe: 'the name; it is asked for otherwise' })
    .option('password-stdin', {
      type: 'boolean',
      default: false,
      describe: 'read the password from standard input; it is asked for otherwise',
    })
    .example('$0 login registry.lab:5000 -u me --password-stdin < secret', 'kept in ~/.docker/config.json');

/** `pull` and `push`, which are commands of `image` as well. */
export function transferCommands(choose: Run): CommandModule[] {
  return [
    {
      command: 'pull <image>',
      describe: 'fetch an image from a registry',
      builder: pull,
      handler: (args) => choose(async () => (await import('./commands/registry.ts')).pull(args as never)),
    },
    {
      command: 'push <image>',
      describe: 'bring an image to a registry',
      builder: (y: Argv) => transfer(y).example('$0 push registry.lab:5000/web:1', 'after nslab image tag'),
      handler: (args) => choose(async () => (await import('./commands/registry.ts')).push(args as never)),
    },
  ];
}

export function loginCommands(choose: Run): CommandModule[] {
  return [
    {
      command: 'login [registry]',
      describe: 'keep a name and a password for a registry',
      builder: login,
      handler: (args) => choose(async () => (await import('./commands/registry.ts')).login(args as never)),
    },
    {
      command: 'logout [registry]',
      describe: 'forget them',
      builder: (y: Argv) =>
        registry(y).example('$0 logout registry.lab:5000', 'out of ~/.docker/config.json'),
      handler: (args) => choose(async () => (await import('./commands/registry.ts')).logout(args as never)),
    },
  ];
}
