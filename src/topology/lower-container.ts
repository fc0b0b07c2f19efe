// The container keys of a node: checked as far as their texts go, and handed on as the file has them. The runner reads them.

import { capabilities } from '../base/capabilities.ts';
import type { LabName } from '../base/names.ts';
import type { Result } from '../base/result.ts';
import { rlimits } from '../base/rlimits.ts';
import { parseSignal } from '../base/signals.ts';
import { didYouMean } from '../base/suggest.ts';
import { parseDuration, parseSize } from '../base/units.ts';
import type { ContainerSpec } from '../model/container.ts';
import type { ContainerOptions } from '../model/container-options.ts';
import {
  type MountText,
  parseBind,
  parseCommand,
  parseDevice,
  parseSecurity,
  parseTmpfs,
  parseUser,
  parseVolume,
  splitVariable,
  type TextProblem,
} from '../model/container-text.ts';
import { parsePort } from '../model/port-text.ts';
import { parseTimeOffset } from '../model/time-offsets.ts';
import { parseUserns } from '../model/userns.ts';
import type { DraftNode, Lowering } from './draft.ts';
import { HOST } from './lower-nodes.ts';
import type { Path } from './problems.ts';
import { containerKeys } from './schema-container.ts';
import type { NodeFile } from './schema-node.ts';
import { members, quote, readUnit } from './values.ts';

/** The container part of a node that has `image` or `rootfs`. */
export function lowerContainer(lab: Lowering, node: DraftNode): ContainerSpec | undefined {
  const { file } = node;
  if (file.image === undefined && file.rootfs === undefined) return undefined;
  const check = new Checker(lab, node);
  check.all();
  const options: Record<string, unknown> = {};
  // Typed, so that the schema and the model cannot come to disagree.
  const values: { readonly [K in keyof ContainerOptions]: ContainerOptions[K] | undefined } = file;
  for (const key of Object.keys(containerKeys)) {
    // What `hosts` and `dns` mean for every node was lowered with them, and networks became interfaces.
    if (LOWERED.has(key)) continue;
    const value = values[key as keyof ContainerOptions];
    if (value !== undefined) options[key] = value;
    if (key === 'volumes' && lab.copy !== undefined)
      options[key] = file.volumes?.map((volume) => volumeOfCopy(volume, lab.name));
  }
  return {
    ...(file.image === undefined ? {} : { image: file.image }),
    ...(file.rootfs === undefined ? {} : { rootfs: file.rootfs }),
    options,
  };
}

/** A named volume is the same folder for all who name it, and copies of a lab share nothing. */
function volumeOfCopy(volume: VolumeFile, lab: LabName): VolumeFile {
  const parsed = parseVolume(volume);
  if (!parsed.ok || parsed.value.type !== 'volume' || parsed.value.source === undefined) return volume;
  if (typeof volume === 'string') return `${lab}-${volume}`;
  return { ...volume, source: `${lab}-${parsed.value.source}` };
}

type VolumeFile = NonNullable<NodeFile['volumes']>[number];

const LOWERED = new Set(['image', 'rootfs', 'extra_hosts', 'dns_search', 'dns_opt', 'networks']);

class Checker {
  private readonly lab: Lowering;
  private readonly node: DraftNode;

  constructor(lab: Lowering, node: DraftNode) {
    this.lab = lab;
    this.node = node;
  }

  all(): void {
    const { file } = this.node;
    if (file.image !== undefined && file.rootfs !== undefined) {
      this.fail('rootfs', '`image` and `rootfs` both say what the root file system is', 'keep one of them');
    }
    if (file.image !== undefined && !/^[a-z0-9][^\s]*$/i.test(file.image)) {
      this.fail('image', `${quote(file.image)} is not the name of an image`, 'as nginx:alpine');
    }
    if (file.rootfs?.trim() === '') this.fail('rootfs', 'the folder is empty');
    this.processors(file.cpu, 'cpu');
    this.processors(file.cpus, 'cpus');
    if (file.cpu !== undefined && file.cpus !== undefined)
      this.fail('cpus', '`cpus` is another word for `cpu`; one is enough');
    this.size(file.memory, ['memory']);
    this.size(file.memory_reservation, ['memory_reservation']);
    this.swap();
    this.cpuset();
    this.namespaces();
    this.size(file.shm_size, ['shm_size']);
    this.duration(file.stop_grace_period, ['stop_grace_period']);
    this.healthcheck();
    this.ports();
    this.commands();
    this.mounts();
    this.devices();
    this.security();
    this.environment();
    this.stopSignal();
    this.hostname();
    this.user();
    this.userns();
    this.timeOffsets();
    this.restart();
    this.network();
    this.dependencies();
    this.capabilities();
    this.limits();
    if (file.working_dir !== undefined && !file.working_dir.startsWith('/')) {
      this.fail('working_dir', `${quote(file.working_dir)} is not an absolute path`);
    }
  }

  private at(...steps: Path): Path {
    return [...this.node.path, ...steps];
  }

  private fail(key: string, message: string, hint?: string): void {
    this.lab.report.fail(this.at(key), 'VALUE_INVALID', message, hint);
  }

  private size(value: string | number | undefined, steps: Path): void {
    if (value === undefined) return;
    const bytes = readUnit(parseSize(value), { report: this.lab.report, path: this.at(...steps) });
    if (bytes === 0) this.lab.report.fail(this.at(...steps), 'VALUE_RANGE', 'the size is 0');
  }

  private duration(value: string | number | undefined, steps: Path): void {
    if (value !== undefined)
      readUnit(parseDuration(value), { report: this.lab.report, path: this.at(...steps) });
  }

  private swap(): void {
    const { memory, memory_swap: swap } = this.node.file;
    if (swap === undefined) return;
    if (memory === undefined) {
      this.fail('memory_swap', '`memory_swap` is memory and swap together, and `memory` is missing');
      return;
    }
    if (String(swap) === '-1') return;
    const place = { report: this.lab.report, path: this.at('memory_swap') };
    const both = readUnit(parseSize(swap), place);
    const alone = parseSize(memory);
    if (both !== undefined && alone.ok && both < alone.value)
      this.fail('memory_swap', `memory and swap together (${swap}) are less than memory alone (${memory})`);
  }

  private cpuset(): void {
    const { cpuset } = this.node.file;
    if (cpuset === undefined || /^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$/.test(String(cpuset))) return;
    this.fail('cpuset', `${quote(String(cpuset))} is not a list of processors`, 'as 0-1 or 0,2');
  }

  private namespaces(): void {
    for (const key of ['ipc', 'pid'] as const) {
      const value = this.node.file[key];
      if (value === undefined || value === 'host' || value === 'private') continue;
      this.fail(key, `${quote(value)} is not a value of ${key}`, 'host, or private as it is by default');
    }
  }

  private processors(value: string | number | undefined, key: string): void {
    if (value === undefined) return;
    const count = Number(value);
    // A quota of less than a thousandth of a second is refused by the kernel (min_cfs_quota_period).
    if (Number.isFinite(count) && count >= 0.01) return;
    this.fail(key, `${quote(value)} is not a number of processors`, 'as 0.5 or 2; 0.01 is the least');
  }

  private healthcheck(): void {
    const file = this.node.file.healthcheck;
    if (file === undefined) return;
    for (const key of ['interval', 'timeout', 'start_period', 'start_interval'] as const) {
      this.duration(file[key], ['healthcheck', key]);
    }
    const { test } = file;
    if (Array.isArray(test) && !['CMD', 'CMD-SHELL', 'NONE'].includes(test[0] ?? '')) {
      const hint = 'as ["CMD", "curl", "-f", "http://localhost"]';
      this.lab.report.fail(
        this.at('healthcheck', 'test'),
        'VALUE_INVALID',
        'the list begins with CMD, CMD-SHELL or NONE',
        hint,
      );
    }
    if (test === undefined && file.disable !== true) {
      this.lab.report.fail(this.at('healthcheck'), 'MISSING_KEY', 'the check has no `test`');
    }
  }

  private ports(): void {
    for (const [index, port] of (this.node.file.ports ?? []).entries())
      this.read(parsePort(port), this.at('ports', index));
  }

  private timeOffsets(): void {
    const { time_offsets: offsets } = this.node.file;
    for (const clock of ['boottime', 'monotonic'] as const) {
      const text = offsets?.[clock];
      if (text !== undefined) this.read(parseTimeOffset(text), this.at('time_offsets', clock));
    }
  }

  private userns(): void {
    const { userns, privileged } = this.node.file;
    const read = this.read(parseUserns(userns), this.at('userns'));
    if (read === undefined || read.mode === 'host') return;
    for (const key of ['ipc', 'pid'] as const) {
      if (this.node.file[key] !== 'host') continue;
      this.fail(
        key,
        `\`${key}: host\` is a namespace of the machine, in which the user namespace of the container has no rights`,
        `remove \`userns\` or \`${key}\``,
      );
    }
    if (privileged !== true) return;
    this.fail(
      'userns',
      'a privileged container has the rights of the machine, and in a user namespace nobody has them',
      'remove `userns` or `privileged`',
    );
  }

  /** The value of a short form; undefined, once it has been said, when it is not one. */
  private read<T>(result: Result<T, TextProblem>, path: Path): T | undefined {
    if (result.ok) return result.value;
    return this.lab.report.fail(path, 'VALUE_INVALID', result.error.message, result.error.hint);
  }

  private commands(): void {
    const { command, entrypoint, healthcheck } = this.node.file;
    this.read(parseCommand(command), this.at('command'));
    this.read(parseCommand(entrypoint), this.at('entrypoint'));
    const test = healthcheck?.test;
    if (Array.isArray(test) && test.length === 1 && test[0]?.startsWith('CMD') === true) {
      this.lab.report.fail(this.at('healthcheck', 'test'), 'VALUE_INVALID', 'the check has no command');
    }
  }

  private mounts(): void {
    const { binds = [], volumes = [], tmpfs } = this.node.file;
    const first = new Map<string, Path>();
    const add = (result: Result<MountText, TextProblem>, path: Path) => {
      const mount = this.read(result, path);
      if (mount === undefined) return;
      const other = first.get(mount.target);
      first.set(mount.target, other ?? path);
      if (other === undefined) return;
      const related = { message: 'the first one', path: other };
      const message = `two mounts have the target ${quote(mount.target)}`;
      this.lab.report.add({ code: 'VALUE_INVALID', message, path, related });
    };
    for (const [index, text] of binds.entries()) add(parseBind(text), this.at('binds', index));
    for (const [index, value] of volumes.entries()) add(parseVolume(value), this.at('volumes', index));
    for (const { value, path } of members<string>(tmpfs, this.at('tmpfs'))) add(parseTmpfs(value), path);
  }

  private devices(): void {
    for (const [index, text] of (this.node.file.devices ?? []).entries())
      this.read(parseDevice(text), this.at('devices', index));
  }

  private security(): void {
    for (const [index, text] of (this.node.file.security_opt ?? []).entries()) {
      const path = this.at('security_opt', index);
      const module = /^(apparmor|label|selinux)\b/.exec(text)?.[1];
      if (module === undefined) this.read(parseSecurity(text), path);
      else {
        const message = `${quote(text)}: nslab does not use ${module === 'apparmor' ? 'AppArmor' : 'SELinux'}`;
        this.lab.report.fail(path, 'CONTAINER_UNSUPPORTED', message, 'remove it');
      }
    }
  }

  private environment(): void {
    const { env } = this.node.file;
    if (env === undefined) return;
    const isList = Array.isArray(env);
    const entries = isList
      ? (env as readonly string[]).map((line, index) => [splitVariable(line).name, index] as const)
      : Object.keys(env).map((name) => [name, name] as const);
    for (const [name, step] of entries) {
      if (/^[^\s=]+$/.test(name)) continue;
      this.lab.report.add({
        code: 'VALUE_INVALID',
        message: `${quote(name)} is not the name of a variable`,
        path: this.at('env', step),
        part: isList ? 'value' : 'key',
      });
    }
  }

  private stopSignal(): void {
    const { stop_signal: signal } = this.node.file;
    if (signal === undefined) return;
    const parsed = parseSignal(signal);
    if (!parsed.ok) this.fail('stop_signal', `${quote(signal)} ${parsed.error}`, 'as SIGTERM, INT or 15');
  }

  private hostname(): void {
    const { hostname } = this.node.file;
    if (hostname === undefined || /^[A-Za-z0-9]([A-Za-z0-9._-]{0,63})$/.test(hostname)) return;
    this.fail(
      'hostname',
      `${quote(hostname)} is not a host name`,
      'letters, digits, "-" and ".", 64 characters at most',
    );
  }

  private user(): void {
    const { user } = this.node.file;
    if (user !== undefined) this.read(parseUser(user), this.at('user'));
  }

  private restart(): void {
    const { restart } = this.node.file;
    if (restart === undefined || restart === false) return;
    if (typeof restart === 'string' && /^(no|always|unless-stopped|on-failure(:[0-9]+)?)$/.test(restart))
      return;
    const words = ['no', 'always', 'unless-stopped', 'on-failure'];
    this.fail(
      'restart',
      `${quote(String(restart))} is not a restart policy`,
      didYouMean(String(restart), words) ?? words.join(', '),
    );
  }

  private network(): void {
    const { network_mode: mode } = this.node.file;
    if (mode === undefined || mode === 'none' || mode === 'host' || mode === 'bridge') return;
    const name = /^container:(.+)$/.exec(mode)?.[1];
    if (name === undefined) {
      const words = ['none', 'host', 'bridge', 'container:NAME'];
      this.fail(
        'network_mode',
        `${quote(mode)} is not a network mode`,
        didYouMean(mode, words) ?? words.join(', '),
      );
    } else this.nodeName(name, this.at('network_mode'));
  }

  private dependencies(): void {
    const file = this.node.file.depends_on;
    if (file === undefined) return;
    const isList = Array.isArray(file);
    for (const [index, name] of (isList ? (file as string[]) : Object.keys(file)).entries()) {
      this.nodeName(name, this.at('depends_on', isList ? index : name), isList ? undefined : 'key');
    }
  }

  private nodeName(name: string, path: Path, part?: 'key'): void {
    if (name === this.node.name) {
      this.lab.report.add({ code: 'VALUE_INVALID', message: 'the node cannot depend on itself', path, part });
    } else if (!this.lab.byName.has(name)) {
      const hint = this.lab.report.nearName(name, () => [...this.lab.byName.keys(), HOST]);
      this.lab.report.add({
        code: 'NODE_UNDEFINED',
        message: `there is no node ${quote(name)}`,
        hint,
        path,
        part,
      });
    }
  }

  private capabilities(): void {
    for (const key of ['cap_add', 'cap_drop'] as const) {
      for (const { value, path } of members<string>(this.node.file[key], this.at(key))) {
        const name = value.toUpperCase().replace(/^CAP_/, '');
        if (capabilities.has(name) || name === 'ALL') continue;
        const hint = didYouMean(name, capabilities) ?? 'as NET_ADMIN; capabilities(7) lists them';
        this.lab.report.fail(path, 'VALUE_INVALID', `${quote(value)} is not a capability`, hint);
      }
    }
  }

  private limits(): void {
    const { ulimits = {}, pids } = this.node.file;
    for (const [name, limit] of Object.entries(ulimits)) {
      const path = this.at('ulimits', name);
      const { soft, hard } = typeof limit === 'number' ? { soft: limit, hard: limit } : limit;
      if (!rlimits.has(name)) {
        const hint = didYouMean(name, rlimits.keys()) ?? [...rlimits.keys()].join(', ');
        const message = `${quote(name)} is not a resource limit`;
        this.lab.report.add({ code: 'VALUE_UNKNOWN', message, hint, path, part: 'key' });
      } else if (![soft, hard].every((value) => Number.isSafeInteger(value) && value >= -1)) {
        this.lab.report.fail(path, 'VALUE_RANGE', 'a limit is a whole number, or -1 for none');
      } else if (hard !== -1 && (soft === -1 || soft > hard)) {
        this.lab.report.fail(path, 'VALUE_RANGE', 'the soft limit is above the hard one');
      }
    }
    // PID_MAX_LIMIT, linux/threads.h.
    if (pids !== undefined && (pids < -1 || pids > 4_194_304)) {
      this.fail('pids', `${pids} is not a number of processes`, 'up to 4194304, or -1 for no limit');
    }
  }
}
