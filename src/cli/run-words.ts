// `nslab run OPTIONS COMMAND WORDS` and `create`: what follows the command is the command's, as in `docker run`. yargs reads options
// wherever they stand, so a `--` is put where the command begins. For that it must be known which options take a value.

type Option = {
  readonly type: 'string' | 'boolean' | 'number';
  readonly alias?: string | readonly string[];
  readonly array?: true;
  readonly choices?: readonly string[];
  readonly default?: string;
  readonly describe: string;
};

/** What `update` can change of a container, too. */
export const limitOptions = {
  memory: { type: 'string', alias: 'm', describe: 'memory limit, 100m' },
  'memory-swap': { type: 'string', describe: 'memory and swap together, -1 for no limit; twice the memory' },
  'memory-reservation': { type: 'string', describe: 'memory it is left when that is short' },
  cpus: { type: 'string', describe: 'processors, 0.5' },
  'cpu-shares': { type: 'number', describe: 'weight when processors are short, 1024 is normal' },
  'cpuset-cpus': { type: 'string', describe: 'the processors it may run on, 0-1' },
  'pids-limit': { type: 'number', describe: 'most processes at a time, -1 for no limit' },
} as const satisfies Readonly<Record<string, Option>>;

export const createOptions = {
  rootfs: {
    type: 'string',
    describe: 'folder with the root file system, or host for the files of this machine',
  },
  name: { type: 'string', describe: 'name of the container; made up by default' },
  pull: {
    type: 'string',
    choices: ['always', 'missing', 'never'],
    default: 'missing',
    describe: 'when the image is pulled from its registry',
  },
  interactive: { type: 'boolean', alias: 'i', describe: 'keep standard input open' },
  tty: { type: 'boolean', alias: 't', describe: 'give it a terminal' },
  rm: { type: 'boolean', describe: 'remove it when it has ended' },
  env: { type: 'string', alias: 'e', array: true, describe: 'environment variable, K=V or K' },
  'env-file': { type: 'string', array: true, describe: 'file of environment variables' },
  volume: {
    type: 'string',
    alias: 'v',
    array: true,
    describe: 'SOURCE:TARGET[:ro], a path or the name of a volume',
  },
  tmpfs: { type: 'string', array: true, describe: 'path that lives in memory, /tmp:size=16m' },
  device: { type: 'string', array: true, describe: 'device of the machine' },
  publish: {
    type: 'string',
    alias: 'p',
    array: true,
    describe: 'port of the machine that leads to it, [ADDRESS:][PORT:]PORT[/udp]',
  },
  ...limitOptions,
  'shm-size': { type: 'string', describe: 'size of /dev/shm' },
  ulimit: { type: 'string', array: true, describe: 'limit, nofile=1024:2048' },
  net: { type: 'string', alias: 'network', describe: 'bridge (default), none or host' },
  'add-host': { type: 'string', array: true, describe: 'line of its /etc/hosts, NAME:ADDRESS' },
  dns: { type: 'string', array: true, describe: 'name server' },
  'dns-search': { type: 'string', array: true, describe: 'domain that short names are looked up in' },
  'dns-option': { type: 'string', array: true, describe: 'option of resolv.conf(5)' },
  ipc: { type: 'string', describe: 'host: queues and shared memory of the machine' },
  pid: { type: 'string', describe: 'host: all processes of the machine' },
  'cap-add': { type: 'string', array: true, describe: 'capability to add' },
  'cap-drop': { type: 'string', array: true, describe: 'capability to take, or ALL' },
  'security-opt': { type: 'string', array: true, describe: 'seccomp=..., no-new-privileges=...' },
  privileged: { type: 'boolean', describe: 'all capabilities and devices' },
  user: { type: 'string', alias: 'u', describe: 'USER[:GROUP]' },
  userns: { type: 'string', describe: 'user namespace: host, auto, auto:size=N or FIRST:COUNT' },
  workdir: { type: 'string', alias: 'w', describe: 'where the command starts' },
  hostname: { type: 'string', describe: 'host name; the name of the container by default' },
  entrypoint: { type: 'string', describe: 'program that the command is given to' },
  init: { type: 'boolean', describe: 'run a small init as process 1' },
  'read-only': { type: 'boolean', describe: 'the root file system cannot be written' },
  restart: { type: 'string', describe: 'no, always, unless-stopped or on-failure[:N]' },
  sysctl: { type: 'string', array: true, describe: 'kernel setting of its own, KEY=VALUE' },
  label: { type: 'string', alias: 'l', array: true, describe: 'NAME=VALUE that inspect shows' },
  'health-cmd': { type: 'string', describe: 'command that tells whether it works' },
  'health-interval': { type: 'string', describe: 'time between two checks, 30s' },
  'health-timeout': { type: 'string', describe: 'a check that takes longer has failed, 30s' },
  'health-retries': { type: 'number', describe: 'failures in a row that make it unhealthy, 3' },
  'health-start-period': { type: 'string', describe: 'time at the start in which failures do not count' },
  'health-start-interval': { type: 'string', describe: 'time between checks in that time, 5s' },
  'stop-signal': { type: 'string', describe: 'signal that asks it to end' },
  'stop-timeout': { type: 'number', describe: 'seconds until it is killed' },
} as const satisfies Readonly<Record<string, Option>>;

export const runOptions = {
  detach: { type: 'boolean', alias: 'd', describe: 'leave it running and return' },
  'detach-keys': { type: 'string', describe: 'what leaves it running; ctrl-p,ctrl-q by default' },
  ...createOptions,
} as const satisfies Readonly<Record<string, Option>>;

const valued = new Set<string>();
for (const [name, option] of Object.entries(runOptions) as [string, Option][]) {
  if (option.type === 'boolean') continue;
  for (const word of [name, option.alias ?? []].flat()) valued.add(word);
}

/** The words with a `--` before the command of `run` or `create`. Those of other commands are what they were. */
export function separateCommand(words: readonly string[]): readonly string[] {
  if (words[0] !== 'run' && words[0] !== 'create') return words;
  for (let i = 1; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '--') return words;
    if (!word.startsWith('-') || word === '-') return [...words.slice(0, i), '--', ...words.slice(i)];
    if (takesNext(word)) i++;
  }
  return words;
}

function takesNext(word: string): boolean {
  if (word.startsWith('--')) return !word.includes('=') && valued.has(word.slice(2));
  // Of `-dit` none has a value; of `-vA:B` and `-de` the first that has one takes what follows it.
  const letters = [...word.slice(1)];
  const at = letters.findIndex((letter) => valued.has(letter));
  return at >= 0 && at === letters.length - 1;
}
