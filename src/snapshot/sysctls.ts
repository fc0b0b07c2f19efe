// Which sysctls of a namespace somebody has set: those that differ from a new namespace's, and of a device those that differ from
// what its namespace gives new devices. What nslab sets by itself, what the kernel counts, and what follows from other settings is
// none of them.

import type { IfName } from '../base/names.ts';
import type { Sysctls } from '../live/details.ts';
import type { LiveDevice } from '../live/netns.ts';

/** What the kernel counts or draws by lot, or says a second time in another unit. */
const passing = [
  /^net\.netfilter\.nf_conntrack_count$/,
  /\.stable_secret$/,
  /^net\.core\.netdev_rss_key$/,
  /\.(base_reachable_time|retrans_time)$/,
  // `ipv6` of an interface says it.
  /\.addr_gen_mode$/,
];

/** Of a device: what follows from the device itself, or from how nslab makes devices usable at once. */
const ofDevice = [/\.accept_dad$/, /^net\.ipv6\.conf\.[^.]+\.mtu$/];

const perDevice = /^net\.(?:ipv4|ipv6|mpls)\.(?:conf|neigh)\.([^.]+)\.([^.]+)$/;

function isPassing(key: string): boolean {
  return passing.some((pattern) => pattern.test(key));
}

export type SysctlSpot = {
  readonly sysctls: Sysctls;
  readonly defaults: Sysctls;
  readonly devices: readonly LiveDevice[];
};

/** Those of a namespace, by name. */
export function sysctlsOf({ sysctls, defaults, devices }: SysctlSpot): [string, string][] {
  const names = new Set(devices.filter(({ data }) => data.type !== 'loopback').map(({ ifname }) => ifname));
  return entriesOf(sysctls).filter(([key, value]) => {
    const device = deviceOf(key);
    if (device !== undefined && names.has(device)) return isUnusual(key, value, sysctls);
    return defaults[key] !== undefined && defaults[key] !== value && !followsAll(key, value, sysctls);
  });
}

/** Of the machine: only those of the interfaces. */
export function hostSysctlsOf(sysctls: Sysctls, interfaces: ReadonlySet<IfName>): [string, string][] {
  return entriesOf(sysctls).filter(([key, value]) => {
    const device = deviceOf(key);
    return device !== undefined && interfaces.has(device) && isUnusual(key, value, sysctls);
  });
}

function entriesOf(sysctls: Sysctls): [string, string][] {
  return Object.entries(sysctls)
    .filter(([key]) => !isPassing(key))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A dot of the name is written as a slash. */
function deviceOf(key: string): IfName | undefined {
  const name = perDevice.exec(key)?.[1];
  return name === undefined || name === 'all' || name === 'default'
    ? undefined
    : (name.replaceAll('/', '.') as IfName);
}

function isUnusual(key: string, value: string, sysctls: Sysctls): boolean {
  if (ofDevice.some((pattern) => pattern.test(key))) return false;
  const usual =
    sysctls[
      key.replace(perDevice, (_, name: string, leaf: string) =>
        key.replace(`.${name}.${leaf}`, `.default.${leaf}`),
      )
    ];
  if (usual === undefined || usual === value) return false;
  // Devices without an address of their own making (tunnels, tun) have none of these (ipv6_add_dev()).
  return !(key.endsWith('.use_tempaddr') && value === '-1');
}

/** Setting it for all devices sets it for new ones as well. */
function followsAll(key: string, value: string, sysctls: Sysctls): boolean {
  const all = key.replace('.conf.default.', '.conf.all.').replace('.conf.lo.', '.conf.all.');
  return all !== key && /\.(disable_ipv6|forwarding)$/.test(key) && sysctls[all] === value;
}
