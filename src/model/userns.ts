// `userns` of a container: whose ids are its own. Words of the file as data; which ids of the machine `auto` gets is lab/'s to say.
// user_namespaces(7).

import { err, ok, type Result } from '../base/result.ts';
import type { ContainerSpec } from './container.ts';
import type { TextProblem } from './container-text.ts';

/** A range of ids, in the words of runtime-spec (config-linux.md, "User namespace mappings"). */
export type IdMap = { readonly containerID: number; readonly hostID: number; readonly size: number };
export type IdMaps = { readonly uid: readonly IdMap[]; readonly gid: readonly IdMap[] };

export type Userns =
  /** None of its own. */
  | { readonly mode: 'host' }
  /** So many ids, from 0 on, that nobody else has. */
  | { readonly mode: 'auto'; readonly size: number }
  | { readonly mode: 'map'; readonly maps: IdMaps };

/** As the file has it. */
export type UsernsOption =
  | string
  | { readonly uid: readonly string[]; readonly gid?: readonly string[] | undefined };

/** Up to `nobody`, 65534. */
export const AUTO_SIZE = 65536;
/** linux/user_namespace.h UID_GID_MAP_MAX_EXTENTS */
const MAX_RANGES = 340;
/** (uid_t) -1 is no id. */
const MAX_ID = 0xffff_fffe;

type Read<T> = Result<T, TextProblem>;

function fail(message: string, hint?: string): Result<never, TextProblem> {
  return err(hint === undefined ? { message } : { message, hint });
}

/** `host`, `auto`, `auto:size=N`, `FIRST:COUNT`, or the two lists of ranges `INSIDE:OUTSIDE:COUNT`. */
export function parseUserns(value: UsernsOption | undefined): Read<Userns> {
  if (value === undefined || value === 'host' || value === '') return ok({ mode: 'host' });
  if (value === 'auto') return ok({ mode: 'auto', size: AUTO_SIZE });
  if (typeof value !== 'string') return parseMaps(value);
  const size = /^auto:size=([0-9]+)$/.exec(value)?.[1];
  if (size !== undefined) {
    if (isCount(Number(size))) return ok({ mode: 'auto', size: Number(size) });
    return fail(`${JSON.stringify(value)}: there cannot be ${size} ids`);
  }
  const hint = 'host, auto, auto:size=N, FIRST:COUNT as "100000:65536", or `uid` and `gid` with ranges';
  if (!/^[0-9]+:[0-9]+$/.test(value)) {
    return fail(`${JSON.stringify(value)} is not a user namespace`, hint);
  }
  const ranges = parseRanges([`0:${value}`]);
  return ranges.ok ? ok({ mode: 'map', maps: { uid: ranges.value, gid: ranges.value } }) : ranges;
}

function isCount(size: number): boolean {
  return size > 0 && size <= MAX_ID + 1;
}

function parseMaps({ uid, gid = uid }: Exclude<UsernsOption, string>): Read<Userns> {
  const uids = parseRanges(uid);
  if (!uids.ok) return uids;
  const gids = parseRanges(gid);
  return gids.ok ? ok({ mode: 'map', maps: { uid: uids.value, gid: gids.value } }) : gids;
}

function parseRanges(texts: readonly string[]): Read<readonly IdMap[]> {
  const ranges: IdMap[] = [];
  for (const text of texts) {
    const numbers = /^([0-9]+):([0-9]+):([0-9]+)$/.exec(text)?.slice(1).map(Number);
    const [containerID = 0, hostID = 0, size = 0] = numbers ?? [];
    if (numbers === undefined) {
      return fail(
        `${JSON.stringify(text)} is not a range of ids`,
        'INSIDE:OUTSIDE:COUNT, as "0:100000:65536"',
      );
    }
    if (!isCount(size) || containerID + size - 1 > MAX_ID || hostID + size - 1 > MAX_ID) {
      return fail(`${JSON.stringify(text)}: ids are 0 to ${MAX_ID}, and a range has at least one`);
    }
    ranges.push({ containerID, hostID, size });
  }
  if (ranges.length > MAX_RANGES) return fail(`the kernel takes ${MAX_RANGES} ranges of ids at most`);
  for (const side of ['containerID', 'hostID'] as const) {
    const sorted = ranges.toSorted((a, b) => a[side] - b[side]);
    const twice = sorted.find((range, i) => i > 0 && rangeEnd(sorted[i - 1], side) > range[side]);
    if (twice !== undefined) return fail(`the id ${twice[side]} is in two ranges`);
  }
  if (mapId(ranges, 0) === undefined) {
    return fail("the container's root, 0, has no id on the machine", 'a range that begins with 0:');
  }
  return ok(ranges);
}

function rangeEnd(range: IdMap | undefined, side: 'containerID' | 'hostID'): number {
  return range === undefined ? 0 : range[side] + range.size;
}

/** What an id of the container is on the machine; undefined where it is none there. */
export function mapId(ranges: readonly IdMap[], inside: number): number | undefined {
  const range = ranges.find(({ containerID, size }) => inside >= containerID && inside < containerID + size);
  return range === undefined ? undefined : range.hostID + inside - range.containerID;
}

/** `0 100000 65536` a line, as the kernel reads and shows it. */
export function mapText(ranges: readonly IdMap[]): string {
  return ranges.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
}

/** As the file could have it. */
export function usernsOption({ uid, gid }: IdMaps): UsernsOption {
  const text = ({ containerID, hostID, size }: IdMap) => `${containerID}:${hostID}:${size}`;
  return { uid: uid.map(text), gid: gid.map(text) };
}

/** That of a node whose words have been checked. */
export function usernsOf({ container }: { readonly container?: ContainerSpec }): Userns {
  const parsed = parseUserns(container?.options['userns'] as UsernsOption | undefined);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}
