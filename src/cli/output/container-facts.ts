// What `nslab inspect NODE` prints of a container: one fact a line, what is as always left out.

import type { ContainerFacts } from '../../lab/inspect-container.ts';
import { bytesText } from './bytes.ts';
import { statusText } from './container-status.ts';
import { visible, visibleLines } from './visible.ts';

const WIDTH = 14;

export function containerText(facts: ContainerFacts, now: number): string {
  const { node, lab, state } = facts;
  const title = `container ${node} of lab ${lab}: ${statusText({ status: state?.status ?? 'missing', state }, now)}`;
  const lines = [...stateLines(facts), ...configLines(facts), ...limitLines(facts), ...networkLines(facts)];
  return [
    title,
    ...lines.map(([key, value]) => `  ${key.padEnd(WIDTH)}${value}`),
    ...mountLines(facts),
    ...pathLines(facts),
    '',
  ].join('\n');
}

type Line = readonly [string, string];

function line(key: string, value: string | number | undefined | null | false): Line[] {
  return value === undefined || value === null || value === false || value === ''
    ? []
    : [[key, visibleLines(String(value).trimEnd()).replaceAll('\n', `\n  ${' '.repeat(WIDTH)}`)]];
}

function stateLines({ state, rootfs }: ContainerFacts): Line[] {
  if (state === null) return [];
  const ended = state.exit !== null && state.pid === 0;
  return [
    ...line('files', rootfs),
    ...line('pid', state.pid > 0 && state.monitored && state.pid),
    ...line('created', time(state.created)),
    ...line('started', time(state.started)),
    ...line('finished', time(state.finished)),
    ...line('exit status', ended && `${state.exit}${state.oom ? ', out of memory' : ''}`),
    ...line('restarts', state.restarts > 0 && state.restarts),
    ...line('health', state.health),
    ...line('last check', state.healthLog),
    ...line('error', state.error),
  ];
}

/** To the second: nanoseconds are for --json. */
function time(text: string | undefined): string | undefined {
  return text?.replace('T', ' ').replace(/\..*$/, '') || undefined;
}

function configLines({ config, security }: ContainerFacts): Line[] {
  if (config === null || security === null) return [];
  const words = [
    ...(config.tty ? ['terminal'] : []),
    ...(config.stdinOpen ? ['stdin'] : []),
    ...(config.init ? ['init'] : []),
    ...(config.readOnly ? ['read-only'] : []),
    ...(config.removedAtEnd ? ['removed at its end'] : []),
  ];
  return [
    ...line('command', commandText(config.command)),
    ...line('env', config.env.join('\n')),
    ...line('working dir', config.workingDir),
    ...line('user', config.user),
    ...line('hostname', config.hostname),
    ...line('with', words.join(', ')),
    ...line('of the machine', config.hostNamespaces.join(', ')),
    ...line('labels', pairs(config.labels)),
    ...line('sysctls', pairs(config.sysctls)),
    ...line('restart', config.restart),
    ...line('stop', `${config.stopSignal}, SIGKILL after ${config.stopGraceMs / 1000} s`),
    ...line('health check', config.healthcheck !== null && commandText(config.healthcheck)),
    ...line(
      'capabilities',
      security.capabilities.map((name) => name.replace(/^CAP_/, '')).join(' ') || 'none',
    ),
    ...line('seccomp', security.seccomp),
    ...line('', !security.noNewPrivileges && 'may gain privileges'),
  ];
}

function commandText(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}

function pairs(all: Readonly<Record<string, string>>): string {
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}

function limitLines({ limits }: ContainerFacts): Line[] {
  const { memory, memorySwap, memoryReservation, cpus, cpuShares, cpuWeight, cpuset, pids } = limits;
  const swap = memorySwap === undefined ? '' : `, ${bytesText(memorySwap)} with swap`;
  const texts = [
    ...(memory === undefined ? [] : [`memory ${bytesText(memory)}${swap}`]),
    ...(memoryReservation === undefined ? [] : [`${bytesText(memoryReservation)} reserved`]),
    ...(cpus === undefined ? [] : [`${cpus} processors`]),
    ...(cpuShares === undefined || cpuShares === 1024 ? [] : [`${cpuShares} shares`]),
    ...(cpuWeight === undefined || cpuWeight === 100 ? [] : [`weight ${cpuWeight}`]),
    ...(cpuset === undefined ? [] : [`on processors ${cpuset}`]),
    ...(pids === undefined ? [] : [`${pids} processes`]),
  ];
  return line('limits', texts.join(', '));
}

function networkLines({ network }: ContainerFacts): Line[] {
  const devices = network.devices.flatMap(({ ifname, addresses }) =>
    ifname === 'lo' ? [] : [`${ifname} ${addresses.join(' ')}`.trim()],
  );
  return [
    ...line('network', network.mode === 'own' ? `netns ${network.netns}` : network.mode),
    ...line('interfaces', devices.join('\n')),
  ];
}

/** Those that every container has are left to --json. */
function mountLines({ mounts }: ContainerFacts): string[] {
  const own = mounts.filter(
    ({ type, destination }) => type === 'bind' || (type === 'tmpfs' && !destination.startsWith('/dev')),
  );
  return own.length === 0
    ? []
    : [
        'mounts',
        ...own.map(
          ({ destination, type, source, readOnly }) =>
            `  ${visible(destination)} from ${visible(type === 'bind' ? source : type)}${readOnly ? ', read-only' : ''}`,
        ),
      ];
}

function pathLines({ paths }: ContainerFacts): string[] {
  const all = [
    ...(paths.log === null ? [] : [`log     ${paths.log}`]),
    ...(paths.upper === null ? [] : [`layer   ${paths.upper}`]),
    ...paths.cgroups.map((path) => `cgroup  ${path}`),
  ];
  return all.length === 0 ? [] : ['paths', ...all.map((path) => `  ${visible(path)}`)];
}
