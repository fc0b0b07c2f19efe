// The settings and addresses of a device that is there and stays. Pure. A setting that the file leaves out has the kernel's default
// where that is known; where it is not, anything is right.

import { addressOf } from '../base/ip.ts';
import { isAutomaticAddress } from '../live/automatic.ts';
import type { LiveAddress, LiveDevice } from '../live/netns.ts';
import { impairmentOfQdisc, impairmentText, type Qdisc } from '../model/impairment.ts';
import type { BridgeOptions, Interface, InterfaceAddress } from '../model/interface.ts';
import type { Node } from '../model/lab.ts';
import type { Step } from '../plan/op.ts';
import type { Difference, Mend, Subject } from './difference.ts';
import { bridgeOption, isWireguard, wrongBridgeOptions } from './kinds.ts';
import { deviceKey, entryKey } from './step-key.ts';

/** A device of the file and of the kernel. */
export type Found = {
  readonly node: Node;
  readonly iface: Interface;
  readonly device: LiveDevice;
  /** {@link deviceKey} of what goes. */
  readonly gone: ReadonlySet<string>;
  /** What leaves it is impaired by, as the file has it. */
  readonly qdisc: Qdisc | undefined;
};

export function deviceDifferences(found: Found): Difference[] {
  return [
    ...basics(found),
    ...masterOf(found),
    ...bridge(found),
    ...port(found),
    ...vlans(found),
    ...special(found),
    ...impairmentDifferences(found),
    ...addressDifferences(found),
    ...quiet(found),
  ];
}

function impairmentDifferences(found: Found): Difference[] {
  const { node, iface, device, qdisc } = found;
  const wanted = qdisc === undefined ? undefined : impairmentText(impairmentOfQdisc(qdisc));
  const has = device.impair === undefined ? undefined : impairmentText(device.impair);
  if (wanted === has) return [];
  if (wanted === undefined) {
    // Only wires have impairments in a file: what else has a queue is somebody else's business.
    if (iface.type !== 'veth') return [];
    const off: Step = { kind: 'setQdisc', place: node.place, ifname: iface.ifname, qdisc: null };
    return [tell(found, { text: `: ${has} is too much`, state: 'extra', mend: { set: [off] } })];
  }
  const mend = { make: [entryKey('qdisc', node.place, [iface.ifname])] };
  if (has === undefined) return [tell(found, { text: `: ${wanted} is missing`, state: 'missing', mend })];
  return [tell(found, { text: `: ${has}, and not ${wanted}`, mend })];
}

type Telling = {
  readonly text: string;
  readonly about?: Subject;
  readonly state?: Difference['state'];
  readonly hidden?: true;
  readonly mend: Mend;
};

function tell(
  { node, iface }: Pick<Found, 'node' | 'iface'>,
  { text, about, state, hidden, mend }: Telling,
): Difference {
  const { name, place } = node;
  return {
    node: name,
    place,
    interface: iface.name,
    about: about ?? 'interface',
    state: state ?? 'different',
    message: `${name}:${iface.name}${text.startsWith(':') ? '' : ' '}${text}`,
    ...(hidden === undefined ? {} : { hidden }),
    mend,
  };
}

function basics(found: Found): Difference[] {
  const { node, iface, device } = found;
  const { place } = node;
  const { ifname } = iface;
  const set = (what: object): Mend => ({ set: [{ kind: 'setLink', place, ifname, ...what }] });
  const told: Difference[] = [];
  if (iface.mac !== undefined && device.mac !== iface.mac) {
    told.push(
      tell(found, { text: `has MAC ${device.mac}, not ${iface.mac}`, mend: set({ mac: iface.mac }) }),
    );
  }
  const mtu = wantedMtu(iface);
  if (mtu !== undefined && device.mtu !== mtu) {
    told.push(tell(found, { text: `has MTU ${device.mtu}, not ${mtu}`, mend: set({ mtu }) }));
  }
  if (iface.up && !device.up) told.push(tell(found, { text: 'is down', mend: set({ up: true }) }));
  if (!iface.up && device.up) {
    told.push(tell(found, { text: 'is up, and should be down', mend: set({ up: false }) }));
  }
  if (iface.altname !== undefined && !device.altnames.includes(iface.altname)) {
    const text = `has not the name ${iface.altname} as well`;
    told.push(tell(found, { text, mend: set({ altname: iface.altname }) }));
  }
  for (const altname of iface.type === 'physical' ? [] : device.altnames) {
    if (altname === iface.altname) continue;
    const mend: Mend = { remove: [{ kind: 'delAltname', place, ifname, altname }] };
    told.push(tell(found, { text: `has the name ${altname} as well`, mend }));
  }
  return told;
}

const ETHERNET_MTU = 1500;

/** Undefined where it follows from other devices. */
function wantedMtu({ type, mtu }: Interface): number | undefined {
  if (mtu !== undefined) return mtu;
  return ['veth', 'dummy', 'ifb', 'tun', 'tap'].includes(type) ? ETHERNET_MTU : undefined;
}

function masterOf(found: Found): Difference[] {
  const { node, iface, device, gone } = found;
  const { place } = node;
  const { ifname, master } = iface;
  const now =
    device.master === undefined || gone.has(deviceKey(place, device.master)) ? undefined : device.master;
  if (now === master) return [];
  const text =
    master === undefined
      ? `is in ${now}, and should be in none`
      : device.master === undefined || device.master === master
        ? `is not in ${master}`
        : `is in ${device.master}, not in ${master}`;
  const hidden = device.master === master ? ({ hidden: true } as const) : {};
  return [
    tell(found, {
      text,
      ...hidden,
      mend: { set: [{ kind: 'setLink', place, ifname, master: master ?? null }] },
    }),
  ];
}

function bridge(found: Found): Difference[] {
  const { node, iface, device } = found;
  if (iface.type !== 'bridge' || device.data.type !== 'bridge') return [];
  const { data } = device;
  return wrongBridgeOptions(iface, data).map((name) => {
    const want = bridgeOption(iface, name);
    const options = { [name]: want } as BridgeOptions;
    return tell(found, {
      text: `has ${name} ${word(data[name])}, not ${word(want)}`,
      mend: { set: [{ kind: 'setBridge', place: node.place, ifname: iface.ifname, options }] },
    });
  });
}

function word(value: boolean | number | undefined): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}

/** net/bridge/br_if.c new_nbp(); a cost follows from the speed of the device. */
const portDefaults = { priority: 32, hairpin: false, isolated: false, learning: true, guard: false } as const;

function port(found: Found): Difference[] {
  const { node, iface, device, gone } = found;
  const { place } = node;
  const { ifname } = iface;
  if (iface.master === undefined || device.port === undefined) return portOfNew(found);
  if (device.master !== iface.master || gone.has(deviceKey(place, iface.master))) return portOfNew(found);
  const have = device.port;
  const want = { ...portDefaults, ...iface.port };
  const names = ['cost', ...Object.keys(portDefaults)] as readonly ('cost' | keyof typeof portDefaults)[];
  return names.flatMap((name) => {
    const value = want[name];
    if (value === undefined || value === have[name]) return [];
    const step: Step = { kind: 'setPort', place, ifname, [name]: value };
    return [
      tell(found, { text: `has ${name} ${word(have[name])}, not ${word(value)}`, mend: { set: [step] } }),
    ];
  });
}

/** It comes into its bridge only now: all that the file says is set. */
function portOfNew(found: Found): Difference[] {
  const { node, iface } = found;
  const { vlan: _vlan, vlans: _vlans, ...settings } = iface.port ?? {};
  if (iface.master === undefined || Object.keys(settings).length === 0) return [];
  const step: Step = { kind: 'setPort', place: node.place, ifname: iface.ifname, ...settings };
  return [tell(found, { text: 'has other settings as a port', hidden: true, mend: { set: [step] } })];
}

function vlans(found: Found): Difference[] {
  const { node, iface, device } = found;
  const { place } = node;
  const { ifname } = iface;
  const master = node.interfaces.find((one) => one.ifname === iface.master);
  if (master?.type !== 'bridge') return [];
  if (master.vlan_filtering !== true && iface.port?.vlan === undefined && iface.port?.vlans === undefined)
    return [];
  const untagged = iface.port?.vlan ?? master.vlan_default_pvid ?? 1;
  const tagged = numbers(iface.port?.vlans ?? []);
  const native =
    untagged === 0 || (iface.port?.vlan === undefined && tagged.has(untagged)) ? undefined : untagged;
  // One that comes into its bridge only now has that one's default.
  const isNew = device.port === undefined || device.master !== iface.master;
  const fresh = { vlan: master.vlan_default_pvid ?? 1, vlans: [], strangeVlans: [] };
  const have = isNew || device.port === undefined ? fresh : device.port;
  const haveNative = have.vlan === 0 ? undefined : have.vlan;
  const haveTagged = numbers(have.vlans);
  const strange = numbers(have.strangeVlans);
  const all = [...haveTagged, ...strange, ...(haveNative === undefined ? [] : [haveNative])];
  const told: Difference[] = [];
  const tellVlan = (text: string, step: Step) => {
    const hidden = isNew ? ({ hidden: true } as const) : {};
    told.push(tell(found, { text, ...hidden, mend: { set: [step] } }));
  };
  for (const vid of all) {
    if (vid === native || tagged.has(vid)) continue;
    tellVlan(`has VLAN ${vid}, which is too much`, { kind: 'delVlan', place, ifname, vid });
  }
  if (native !== undefined && native !== haveNative) {
    const step: Step = { kind: 'addVlan', place, ifname, from: native, to: native, pvid: true };
    tellVlan(
      `has ${haveNative === undefined ? 'no VLAN' : `VLAN ${haveNative}`} for untagged frames, not ${native}`,
      step,
    );
  }
  for (const vid of tagged) {
    if (haveTagged.has(vid) || vid === native) continue;
    tellVlan(`has not VLAN ${vid}`, { kind: 'addVlan', place, ifname, from: vid, to: vid, pvid: false });
  }
  return told;
}

function numbers(ranges: readonly { readonly from: number; readonly to: number }[]): Set<number> {
  const found = new Set<number>();
  for (const { from, to } of ranges) for (let vid = from; vid <= to; vid++) found.add(vid);
  return found;
}

/** What is set after a device is there: keys of WireGuard, and where a vxlan floods to. */
function special(found: Found): Difference[] {
  const { node, iface, device } = found;
  const { place } = node;
  const { ifname } = iface;
  const { data } = device;
  if (iface.type === 'wireguard' && data.type === 'wireguard' && !isWireguard(iface, data)) {
    const mend = { make: [entryKey('wireguard', place, [ifname])] };
    return [tell(found, { text: 'has other keys, peers or ports', mend })];
  }
  if (iface.type !== 'vxlan' || data.type !== 'vxlan') return [];
  const missing = iface.remotes.filter((dst) => !data.remotes.includes(dst) && dst !== iface.remote);
  const extra = data.remotes.filter((dst) => !iface.remotes.includes(dst));
  return [
    ...missing.map((dst) =>
      tell(found, {
        text: `: remote ${dst} is missing`,
        state: 'missing',
        mend: { make: [entryKey('fdb', place, [ifname, dst])] },
      }),
    ),
    ...extra.map((dst) =>
      tell(found, {
        text: `: remote ${dst} is too much`,
        state: 'extra',
        mend: { remove: [{ kind: 'delFdb', place, ifname, dst }] },
      }),
    ),
  ];
}

function addressDifferences(found: Found): Difference[] {
  const { node, iface, device } = found;
  const { place } = node;
  const { ifname } = iface;
  const given = device.addresses.filter((address) => !isAutomaticAddress(address) && address.permanent);
  const left = new Set(given);
  const missing = iface.addresses.filter((wanted) => {
    const there = [...left].find((one) => isAddress(wanted, one)) ?? automatic(device, wanted);
    if (there !== undefined) left.delete(there);
    return there === undefined;
  });
  return [
    ...missing.map((wanted) => {
      const { path: _path, ...address } = wanted;
      return tell(found, {
        text: `: address ${addressText(wanted)} is missing`,
        about: 'address',
        state: 'missing',
        mend: { make: [entryKey('address', place, [ifname, address])] },
      });
    }),
    ...[...left].map((address) => {
      const { ip, peer } = address;
      const gone = { ip, ...(peer === undefined ? {} : { peer }) };
      return tell(found, {
        text: `: address ${addressText(address)} is too much`,
        about: 'address',
        state: 'extra',
        mend: { remove: [{ kind: 'delAddress', place, ifname, address: gone }] },
      });
    }),
  ];
}

/** The file may ask for what the kernel gives by itself, 127.0.0.1/8 for one. */
function automatic({ addresses }: LiveDevice, wanted: InterfaceAddress): LiveAddress | undefined {
  return addresses.find((one) => isAutomaticAddress(one) && isAddress(wanted, one));
}

function isAddress(wanted: InterfaceAddress, found: LiveAddress): boolean {
  if (wanted.scope !== undefined && wanted.scope !== found.scope) return false;
  if (wanted.peer === undefined) return found.peer === undefined && wanted.ip === found.ip;
  return addressOf(wanted.ip) === addressOf(found.ip) && wanted.peer === found.peer;
}

function addressText({ ip, peer }: Pick<LiveAddress, 'ip' | 'peer'>): string {
  return peer === undefined ? ip : `${addressOf(ip)} peer ${peer}`;
}

/** How IPv6 is kept off devices that the file gives none (ARCHITECTURE.md, "IPv6"). */
function quiet(found: Found): Difference[] {
  const { node, iface, device } = found;
  const { place } = node;
  const { ifname, type } = iface;
  const mode = device.addrgenmode;
  const wanted = iface.ipv6 ? 'eui64' : 'none';
  if (type === 'loopback' || mode === undefined || mode === wanted) return [];
  const master = node.interfaces.find((one) => one.ifname === iface.master);
  if (master?.type === 'bond') return [];
  // Not by rtnetlink, which would leave the address of a device that is up as it is (addrconf_sysctl_addr_gen_mode()).
  const key = `net.ipv6.conf.${ifname.replaceAll('.', '/')}.addr_gen_mode`;
  const steps: Step[] = [{ kind: 'setSysctl', place, key, value: wanted === 'none' ? '1' : '0' }];
  const own =
    wanted === 'none'
      ? device.addresses.filter((one) => isAutomaticAddress(one) && one.scope === 'link')
      : [];
  for (const { ip } of own) steps.push({ kind: 'delAddress', place, ifname, address: { ip } });
  return [tell(found, { text: `makes link-local addresses by ${mode}`, hidden: true, mend: { set: steps } })];
}
