// Users and groups of a container, looked up in the passwd(5) and group(5) of its own root file system, as Docker does: a name or a
// number, and the user's further groups unless one is given. The bytes are hostile: a line that is not well formed is no entry.

import { NslabError } from '../base/error.ts';
import { parseUser } from '../model/container-text.ts';
import type { Accounts } from './host.ts';
import { must } from './options.ts';

export type FoundUser = {
  readonly uid: number;
  readonly gid: number;
  /** Besides `gid`. */
  readonly groups: readonly number[];
  readonly home: string;
};

type UserEntry = { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string };
type GroupEntry = { readonly name: string; readonly gid: number; readonly members: readonly string[] };

/** @throws NslabError CONTAINER_USER for a name that is not there, VALUE_INVALID for what is no user */
export function lookupUser(text: string, { passwd, group }: Accounts): FoundUser {
  const wanted = must(parseUser(text));
  const entry = findUser(wanted.user, passwd);
  const uid = entry?.uid ?? numberOf(wanted.user);
  if (uid === undefined) throw unknown('user', wanted.user, '/etc/passwd');
  // Only an absolute path can be a home, and a text with a control character is none.
  const home = entry !== undefined && /^\/[^\p{Cc}]*$/u.test(entry.home) ? entry.home : '/';
  if (wanted.group !== undefined) return { uid, gid: findGroup(wanted.group, group), groups: [], home };
  const groups = entry === undefined ? [] : groupsOf(entry.name, group);
  const gid = entry?.gid ?? 0;
  return { uid, gid, groups: groups.filter((one) => one !== gid), home };
}

/** A number is always one, as with Docker: an image that calls its root "1000" gets no root for `user: 1000`. */
function findUser(wanted: string, passwd: string): UserEntry | undefined {
  const number = numberOf(wanted);
  return users(passwd).find(({ name, uid }) => (number === undefined ? name === wanted : uid === number));
}

function findGroup(wanted: string, group: string): number {
  const gid = numberOf(wanted) ?? groups(group).find(({ name }) => name === wanted)?.gid;
  if (gid === undefined) throw unknown('group', wanted, '/etc/group');
  return gid;
}

/** NGROUPS_MAX of the kernel is 65536; a hostile file may name a user in more. */
const MAX_GROUPS = 65536;

function groupsOf(name: string, group: string): number[] {
  const found = groups(group).filter(({ members }) => members.includes(name));
  return [...new Set(found.map(({ gid }) => gid))].slice(0, MAX_GROUPS);
}

function unknown(what: 'user' | 'group', name: string, file: string): NslabError {
  const message = `there is no ${what} ${JSON.stringify(name)} in the container's ${file}`;
  return new NslabError('CONTAINER_USER', message, { hint: `a number needs no entry in ${file}` });
}

function users(passwd: string): UserEntry[] {
  return lines(passwd).flatMap(([name = '', , uidText, gidText, , home = '']) => {
    const uid = numberOf(uidText);
    const gid = numberOf(gidText);
    return name === '' || uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home }];
  });
}

function groups(group: string): GroupEntry[] {
  return lines(group).flatMap(([name = '', , gidText, members = '']) => {
    const gid = numberOf(gidText);
    return name === '' || gid === undefined ? [] : [{ name, gid, members: members.split(',') }];
  });
}

function lines(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

/** The whole text, in decimal, and not (uid_t) -1. */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const number = Number(text);
  return number <= 0xfffffffe ? number : undefined;
}
