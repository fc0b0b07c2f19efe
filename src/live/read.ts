// Reads network namespaces, whoever made them, into plain data, and changes nothing in them. The one thread enters each in turn
// and is back in the machine's own when the function returns. network_namespaces(7), rtnetlink(7), nft(8).

import { closeSync, fstatSync } from 'node:fs';
import { join } from 'node:path';
import type { NetnsName } from '../base/names.ts';
import type { Place } from '../model/lab.ts';
import { enterNetns, isNetns, NETNS_DIR, openOwnNetns, withNetnsFd } from '../netns/pin.ts';
import { liveDevices } from './device.ts';
import type { LiveNetns, NetnsRef } from './netns.ts';
import { peersOf, type ReadPlace } from './peers.ts';
import { type Ask, FORWARDING, namesOf, type RawNetns, readRaw } from './raw.ts';
import { liveNeighbour, liveRoute, liveRule } from './routing.ts';

/** The machine's own namespace. */
export const ownNetns: NetnsRef = { place: null, path: null };

/** A namespace by its name under /run/netns, as ip-netns(8) knows it. */
export function namedNetns(name: NetnsName): NetnsRef {
  return { place: name, path: join(NETNS_DIR, name) };
}

/**
 * Reads all of them, in order. One that does not exist, or whose file is no namespace, is not in the answer.
 * @throws SyscallError EPERM when not root; RtnlError, NfnlError EINTR when it changed all the time while it was read
 */
export function readNetns(refs: readonly NetnsRef[], ask: Ask = {}): ReadonlyMap<Place, LiveNetns> {
  const home = openOwnNetns();
  try {
    const found = refs.flatMap((ref) => readOne(ref, home, ask) ?? []);
    const end = peersOf(found, home);
    return new Map(found.map((read) => [read.place, liveNetns(read, end(read))]));
  } finally {
    closeSync(home);
  }
}

type Read = ReadPlace & { readonly raw: RawNetns };

function readOne({ place, path }: NetnsRef, home: number, ask: Ask): Read | undefined {
  const keys = [...(ask.forwarding === false ? [] : FORWARDING), ...(ask.sysctls?.(place) ?? [])];
  if (path === null) return { place, path, identity: identityOf(home), raw: readRaw(keys) };
  if (!isNetns(path)) return undefined;
  return withNetnsFd(path, (fd) => {
    enterNetns(fd);
    try {
      return { place, path, identity: identityOf(fd), raw: readRaw(keys) };
    } finally {
      enterNetns(home);
    }
  });
}

function identityOf(fd: number): string {
  const { dev, ino } = fstatSync(fd);
  return `${dev}:${ino}`;
}

function liveNetns({ place, identity, raw }: Read, end: Parameters<typeof liveDevices>[1]): LiveNetns {
  const names = namesOf(raw);
  const { tables, strangeTables, sysctls } = raw;
  return {
    place,
    identity,
    devices: liveDevices(raw, end),
    routes: raw.routes.map((route) => liveRoute(route, names)),
    rules: raw.rules.map(liveRule),
    neighbours: raw.neighbours.flatMap((entry) => liveNeighbour(entry, names) ?? []),
    tables,
    strangeTables,
    sysctls,
  };
}
