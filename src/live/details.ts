// What else somebody may have set in a namespace: every sysctl, and which MAC addresses were chosen. Neither is in a dump of
// rtnetlink, and reading them costs some hundred system calls a namespace, so it is done where a namespace is written down and not
// where it is only compared. sysctl(8); addr_assign_type of Documentation/ABI/testing/sysfs-class-net.

import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IfName } from '../base/names.ts';
import type { Place } from '../model/lab.ts';
import { enterNetns, inNewNetns, isNetns, openOwnNetns, withNetnsFd } from '../netns/pin.ts';
import { getDeviceSettings } from '../rtnl/device-settings.ts';
import { getLinks } from '../rtnl/link.ts';
import { NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';
import { mountNowhere } from '../sys/libc.ts';
import { sysctlPath, writeSysctl } from '../sys/sysctl.ts';
import type { NetnsRef } from './netns.ts';

export type Sysctls = Readonly<Record<string, string>>;

export type NetnsDetails = {
  /** All of `net`, by the names that sysctl(8) prints. What cannot be read is not in it. */
  readonly sysctls: Sysctls;
  /** The devices whose MAC address somebody set (NET_ADDR_SET). */
  readonly macs: ReadonlySet<IfName>;
};

/**
 * Reads all of them, in order; one that does not exist is not in the answer.
 * @throws SyscallError EPERM when not root
 */
export function readDetails(refs: readonly NetnsRef[]): ReadonlyMap<Place, NetnsDetails> {
  const home = openOwnNetns();
  try {
    const found = new Map<Place, NetnsDetails>();
    const alike: Alike = new Map();
    for (const { place, path } of refs) {
      if (path === null) found.set(place, readHere(alike));
      else if (isNetns(path)) {
        withNetnsFd(path, (fd) => {
          enterNetns(fd);
          try {
            found.set(place, readHere(alike));
          } finally {
            enterNetns(home);
          }
        });
      }
    }
    return found;
  } finally {
    closeSync(home);
  }
}

/** Whether a namespace forwards: writing that changes others of its sysctls (inet_forward_change(), addrconf_fixup_forwarding()). */
export type Forwards = { readonly 4: boolean; readonly 6: boolean };

/** The sysctls of a namespace in which nobody has set anything but whether it forwards. */
export function newNetnsSysctls(forwards: Forwards): Sysctls {
  const home = openOwnNetns();
  try {
    return inNewNetns(home, () => {
      if (forwards[4]) writeSysctl('net.ipv4.ip_forward', '1');
      if (forwards[6]) writeSysctl('net.ipv6.conf.all.forwarding', '1');
      return readSysctls(new Map());
    });
  } finally {
    closeSync(home);
  }
}

/** Values of devices by what they have in common: table and settings. */
type Alike = Map<string, ReadonlyMap<string, string>>;

function readHere(alike: Alike): NetnsDetails {
  return { sysctls: readSysctls(alike), macs: readMacs() };
}

const perDevice = /^net\.ipv[46]\.(conf|neigh)$/;

/** Of the namespace where the calling thread is. Of devices with the same settings one is read. */
function readSysctls(alike: Alike): Sysctls {
  const found: Record<string, string> = {};
  const settings = readSettings();
  const walk = (key: string): void => {
    for (const entry of readdirSync(sysctlPath(key), { withFileTypes: true })) {
      const inner = `${key}.${entry.name.replaceAll('.', '/')}`;
      const own = perDevice.test(key) ? settings.get(entry.name) : undefined;
      if (own !== undefined) device(inner, `${key} ${own}`);
      else if (entry.isDirectory()) walk(inner);
      else readInto(found, inner);
    }
  };
  const device = (folder: string, kind: string): void => {
    const known = alike.get(kind);
    if (known !== undefined) {
      for (const [leaf, value] of known) found[`${folder}.${leaf}`] = value;
      return;
    }
    const own: Record<string, string> = {};
    for (const leaf of readdirSync(sysctlPath(folder))) readInto(own, `${folder}.${leaf}`);
    Object.assign(found, own);
    const values = Object.entries(own).map(([key, value]): [string, string] => [
      key.slice(folder.length + 1),
      value,
    ]);
    alike.set(kind, new Map(values));
  };
  walk('net');
  return found;
}

function readInto(found: Record<string, string>, key: string): void {
  const value = readQuietly(sysctlPath(key));
  if (value !== undefined) found[key] = value.replaceAll('\t', ' ');
}

/** What makes devices alike, by their names. */
function readSettings(): Map<string, string> {
  using route = Transport.open(NETLINK_ROUTE);
  const settings = getDeviceSettings(route);
  return new Map(
    getLinks(route).flatMap(({ ifindex, ifname }) => {
      const own = settings.get(ifindex);
      return own === undefined ? [] : [[ifname, own]];
    }),
  );
}

/** Some can be written only (flush), and some only once they are set (stable_secret). */
function readQuietly(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}

/** linux/netdevice.h: the address was set by dev_set_mac_address(), or given with the device. */
const NET_ADDR_SET = '3';

/** /sys shows the namespace in which it was mounted, so a sysfs of the namespace is looked at. */
function readMacs(): ReadonlySet<IfName> {
  const fd = mountNowhere('sysfs');
  try {
    const folder = `/proc/self/fd/${fd}/class/net`;
    const names = readdirSync(folder) as IfName[];
    return new Set(
      names.filter((name) => readQuietly(join(folder, name, 'addr_assign_type')) === NET_ADDR_SET),
    );
  } finally {
    closeSync(fd);
  }
}
