// The short forms of Docker Compose as data: binds, volumes, tmpfs, devices, users, security options. topology/ reads them to
// say what is wrong with a file, container/ to make the container. Pure: no path is looked up, no relative one resolved.

import { err, ok, type Result } from '../base/result.ts';
import { shellWords } from '../base/shell-words.ts';
import type { VolumeOptions } from './container-options.ts';

/** `message` is a whole sentence without its full stop. */
export type TextProblem = { readonly message: string; readonly hint?: string };
type Read<T> = Result<T, TextProblem>;

export type MountText = {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** Of a bind a path, of a volume its name; a volume without one lives as long as its container. */
  readonly source?: string;
  /** Absolute, without `.`, `..` and double slashes. */
  readonly target: string;
  /** Words of mount(8), Docker's propagation among them. */
  readonly options: readonly string[];
};

export type DeviceText = { readonly source: string; readonly target: string; readonly access: string };

export type SecurityText = {
  readonly noNewPrivileges?: boolean;
  readonly seccomp?: string;
  /** `systempaths=unconfined`: nothing of /proc and /sys is hidden. */
  readonly systemPaths?: 'unconfined';
};

function fail(message: string, hint?: string): Result<never, TextProblem> {
  return err(hint === undefined ? { message } : { message, hint });
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** An absolute path without `.`, `..` and double slashes; `..` stops at the root, as in a chroot. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** Where something may be mounted. Inside of /proc a mount would hide what tools trust (runc's checkProcMount). */
function readTarget(text: string, whole: string): Read<string> {
  if (!text.startsWith('/')) return fail(`${quote(whole)} has no absolute path in the container`);
  const target = cleanPath(text);
  if (target === '/') return fail(`${quote(whole)} would hide the whole root file system`);
  if (target === '/proc' || target.startsWith('/proc/'))
    return fail(`${quote(whole)} would hide what the kernel says in /proc`);
  return ok(target);
}

/** `SOURCE:TARGET[:OPTIONS]`. */
export function parseBind(text: string): Read<MountText> {
  const [source = '', target, options, more] = text.split(':');
  if (source === '' || target === undefined || more !== undefined) {
    return fail(`${quote(text)} is not SOURCE:TARGET with an absolute target`, 'as "./www:/www:ro"');
  }
  return readMount({ type: 'bind', source, target, options }, text);
}

const volumeName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** `NAME:TARGET[:OPTIONS]`, `PATH:TARGET[:OPTIONS]` or `TARGET` alone, and Compose's long form. */
export function parseVolume(value: string | VolumeOptions): Read<MountText> {
  if (typeof value !== 'string') return longVolume(value);
  const [first = '', target, options, more] = value.split(':');
  if (more !== undefined || first === '') {
    return fail(`${quote(value)} is not a volume`, 'as "data:/var/lib/data" or "./www:/www:ro"');
  }
  if (target === undefined) return readMount({ type: 'volume', target: first, options: undefined }, value);
  const type = isPath(first) ? 'bind' : 'volume';
  return readMount({ type, source: first, target, options }, value);
}

function isPath(source: string): boolean {
  return /^[/.~]/.test(source);
}

function longVolume({ type, source, target, read_only }: VolumeOptions): Read<MountText> {
  const inferred = source !== undefined && isPath(source) ? 'bind' : 'volume';
  const options = read_only === true ? 'ro' : undefined;
  const mount = { type: type ?? inferred, source, target, options };
  if (mount.type === 'bind' && source === undefined) return fail('a mount of type bind needs a `source`');
  if (mount.type === 'tmpfs' && source !== undefined) return fail('a tmpfs has no `source`');
  return readMount(mount, target);
}

type RawMount = {
  readonly type: MountText['type'];
  readonly source?: string | undefined;
  readonly target: string;
  readonly options: string | undefined;
};

function readMount({ type, source, target, options }: RawMount, whole: string): Read<MountText> {
  const path = readTarget(target, whole);
  if (!path.ok) return path;
  if (type === 'volume' && source !== undefined && !volumeName.test(source)) {
    return fail(`${quote(source)} is not the name of a volume`, 'a path begins with "/", "./" or "~/"');
  }
  const words = options === undefined ? [] : options.split(',');
  const wrong = words.find((word) => !mountWords.has(word));
  if (wrong !== undefined)
    return fail(`${quote(wrong)} is not an option of a mount`, 'ro, rw, rslave, noexec, ...');
  const kept = words.filter((word) => !withoutMeaning.has(word));
  return ok({ type, ...(source === undefined ? {} : { source }), target: path.value, options: kept });
}

/** Consistency is of Docker's machines on other systems, z and Z of SELinux, rw the default. */
const withoutMeaning = new Set(['rw', 'z', 'Z', 'cached', 'delegated', 'consistent']);
const flagWords = [
  ...['ro', 'rw', 'nosuid', 'suid', 'nodev', 'dev', 'noexec', 'exec', 'noatime', 'atime', 'nodiratime'],
  ...['diratime', 'relatime', 'strictatime', 'nosymfollow', 'symfollow'],
];
const mountWords = new Set([
  ...flagWords,
  ...withoutMeaning,
  ...['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'bind', 'rbind', 'nocopy'],
]);

/** `TARGET[:OPTIONS]`, options as in tmpfs(5). */
export function parseTmpfs(text: string): Read<MountText> {
  const colon = text.indexOf(':');
  const target = readTarget(colon < 0 ? text : text.slice(0, colon), text);
  if (!target.ok) return target;
  const options = colon < 0 ? [] : text.slice(colon + 1).split(',');
  const wrong = options.find((option) => !isTmpfsOption(option));
  if (wrong !== undefined) {
    return fail(`${quote(wrong)} is not an option of a tmpfs`, 'as "/tmp:size=16m,mode=1777"');
  }
  return ok({ type: 'tmpfs', target: target.value, options });
}

function isTmpfsOption(option: string): boolean {
  if (flagWords.includes(option)) return true;
  return /^(size=[0-9]+[kmgKMG%]?|nr_(inodes|blocks)=[0-9]+[kmgKMG]?|mode=[0-7]{3,4}|(uid|gid)=[0-9]{1,9})$/.test(
    option,
  );
}

/** `SOURCE[:TARGET][:rwm]`. */
export function parseDevice(text: string): Read<DeviceText> {
  const [source = '', second, third, more] = text.split(':');
  const isAccess = (word: string | undefined) => word !== undefined && /^[rwm]{1,3}$/.test(word);
  const target = second === undefined || (third === undefined && isAccess(second)) ? source : second;
  const access = third ?? (isAccess(second) ? (second ?? '') : 'rwm');
  if (!source.startsWith('/') || !target.startsWith('/') || !isAccess(access) || more !== undefined) {
    return fail(`${quote(text)} is not SOURCE[:TARGET[:rwm]] with absolute paths`, 'as "/dev/net/tun"');
  }
  return ok({ source: cleanPath(source), target: cleanPath(target), access });
}

/** The members of `security_opt` put together. */
export function parseSecurity(text: string): Read<SecurityText> {
  const [, word = text, value] = /^([^=:]+)[=:](.*)$/s.exec(text) ?? [];
  switch (word) {
    case 'no-new-privileges':
      if (value !== undefined && value !== 'true' && value !== 'false') break;
      return ok({ noNewPrivileges: value !== 'false' });
    case 'seccomp':
      if (value === undefined || value === '') break;
      return ok({ seccomp: value });
    case 'systempaths':
      if (value !== 'unconfined') break;
      return ok({ systemPaths: 'unconfined' });
    default:
  }
  const hint = 'no-new-privileges=false, seccomp=FILE, seccomp=unconfined or systempaths=unconfined';
  return fail(`${quote(text)} is not a security option`, hint);
}

const userPart = /^(?:[0-9]{1,10}|[A-Za-z0-9_][A-Za-z0-9_.-]*\$?)$/;

/** `USER` or `USER:GROUP`, each a name or a number. */
export function parseUser(value: string | number): Read<{ readonly user: string; readonly group?: string }> {
  const text = String(value);
  const [user = '', group, more] = text.split(':');
  const parts = group === undefined ? [user] : [user, group];
  if (more !== undefined || !parts.every((part) => userPart.test(part) && !isTooLarge(part))) {
    return fail(`${quote(text)} is not USER or USER:GROUP`, 'each is a name or a number, as "1000:1000"');
  }
  return ok(group === undefined ? { user } : { user, group });
}

/** 4294967295 is (uid_t) -1, which means "leave as it is" to setresuid(2). */
function isTooLarge(part: string): boolean {
  return /^[0-9]+$/.test(part) && Number(part) > 0xfffffffe;
}

/** A command as an argument vector; a text is split as a shell would. */
export function parseCommand(value: string | readonly string[] | undefined): Read<readonly string[]> {
  if (value === undefined) return ok([]);
  if (typeof value !== 'string') return ok(value);
  const words = shellWords(value);
  if (words.ok) return words;
  return fail(`${quote(value)} ${words.error}`, `write ["/bin/sh", "-c", ${quote(value)}]`);
}

/** The name and the value of an entry of a list of variables; undefined is that of the environment. */
export function splitVariable(text: string): { readonly name: string; readonly value: string | undefined } {
  const equals = text.indexOf('=');
  if (equals < 0) return { name: text, value: undefined };
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}
