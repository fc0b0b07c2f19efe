// The ops of `down`. Each is told what `up` made, checks that it is still there and still ours, and treats "already gone" as
// done. Namespaces go last and all at once.

import { statSync } from 'node:fs';
import type { IfName, LabName, NetnsName } from '../base/names.ts';
import { assertNever } from '../base/result.ts';
import type { Place } from '../model/lab.ts';
import { isNetns, NETNS_DIR, removeIfEmpty, unmountPins, unnameNetns } from '../netns/pin.ts';
import { deleteTable } from '../nfnl/apply.ts';
import type { LinkState, UndoOp } from '../plan/op.ts';
import { newAddress, type Scope, scopeName } from '../rtnl/addr.ts';
import { RtnlError } from '../rtnl/error.ts';
import { delLink, delLinkGroup, getLink, getLinks, setLink } from '../rtnl/link.ts';
import type { Request } from '../rtnl/message.ts';
import { delNeighbour } from '../rtnl/neigh.ts';
import { delRoute, rawRoute } from '../rtnl/route.ts';
import { delRule } from '../rtnl/rule.ts';
import { NETLINK_NETFILTER, Transport } from '../rtnl/transport.ts';
import { pinsDir } from '../state/paths.ts';
import { readSysctl, restoreDeviceSysctls, writeSysctl } from '../sys/sysctl.ts';
import { endContainers } from './container-end.ts';
import { unlinkEtc } from './etc.ts';
import type { Places } from './places.ts';
import type { UndoResult } from './port.ts';
import { stopProcesses } from './processes.ts';
import { type Lookup, NoDevice, PASSING_NAME, rtnlRoute, rtnlRule } from './requests.ts';

const nothing: UndoResult = { notes: [] };
/** What the kernel answers where there is nothing to delete: no link, route, rule, neighbour, or family for it. */
export const gone: ReadonlySet<string> = new Set([
  'ENODEV',
  'ESRCH',
  'ENOENT',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'ENXIO',
]);

export function undoOnHost(op: UndoOp, places: Places): UndoResult {
  switch (op.kind) {
    case 'stopContainers':
      endContainers(labOf(places), op.nodes, { others: op.others === true });
      return nothing;
    case 'stopProcesses':
      return { notes: stopProcesses(living(places, op.netns)) };
    case 'returnLink':
      return returnLink(op, places);
    case 'deleteLinks':
      deleteLinks(op.group, op.ifnames, places);
      return nothing;
    case 'deleteTable': {
      places.leave();
      using netfilter = Transport.open(NETLINK_NETFILTER);
      deleteTable(netfilter, op.family, op.name);
      return nothing;
    }
    case 'deleteRoute':
      return remove(places, (lookup) => delRoute(rtnlRoute(null, op.route, lookup)));
    case 'deleteRule':
      return remove(places, () => delRule(rtnlRule(null, op.rule)));
    case 'deleteNeighbour':
      return remove(places, (lookup) => {
        const { ip, dev, proxy } = op.neighbour;
        return delNeighbour({
          ifindex: lookup.index(null, dev),
          address: ip,
          ...(proxy === true ? { proxy } : {}),
        });
      });
    case 'restoreSysctl':
      places.leave();
      return restoreSysctl(op);
    case 'unlinkEtc':
      unlinkEtc(labOf(places), op.netns);
      return nothing;
    case 'deleteNetns':
      deleteNetns(op.netns, places);
      return nothing;
    default:
      return assertNever(op);
  }
}

export function labOf(places: Places): LabName {
  if (places.lab === undefined) throw new Error('no lab was opened');
  return places.lab;
}

/** The pins of those namespaces that still are namespaces. */
function living(places: Places, names: readonly NetnsName[]): Map<string, NetnsName> {
  const found = new Map<string, NetnsName>();
  for (const name of names) {
    const pin = places.pin(name);
    if (isNetns(pin)) found.set(`net:[${statSync(pin).ino}]`, name);
  }
  return found;
}

function remove(places: Places, request: (lookup: Lookup) => Request): UndoResult {
  const lookup: Lookup = {
    index: (place, ifname) => {
      const index = places.index(place, ifname);
      if (index === undefined) throw new NoDevice(ifname);
      return index;
    },
  };
  try {
    places.route(null).request(request(lookup));
  } catch (error) {
    if (error instanceof NoDevice || (error instanceof RtnlError && gone.has(error.code))) return nothing;
    throw error;
  }
  return nothing;
}

/** Devices of the lab in the machine's own namespace. One message deletes all that carry the mark, with one RCU wait. */
function deleteLinks(group: number, ifnames: readonly IfName[], places: Places): void {
  const route = places.route(null);
  const marked = getLinks(route).filter((link) => link.group === group);
  const names = new Set<string>([...ifnames, PASSING_NAME]);
  const ours = marked.filter(({ ifname }) => names.has(ifname));
  try {
    if (ours.length === marked.length && ours.length > 1) route.request(delLinkGroup(group));
    else for (const { ifindex } of ours) route.request(delLink({ ifindex }));
  } catch (error) {
    if (!(error instanceof RtnlError && gone.has(error.code))) throw error;
  }
}

function restoreSysctl({ key, value, was }: Extract<UndoOp, { kind: 'restoreSysctl' }>): UndoResult {
  const now = readSysctl(key);
  if (now === undefined || now === was) return nothing;
  if (now !== value)
    return { notes: [`${key} is ${now}, which is not what the lab had set (${value}); it was left`] };
  writeSysctl(key, was);
  return nothing;
}

/** A NIC goes home: its old name, MAC, MTU, master, addresses and routes. */
function returnLink(
  { place, ifname, state }: Extract<UndoOp, { kind: 'returnLink' }>,
  places: Places,
): UndoResult {
  const home = places.route(null);
  if (!moveHome({ place, ifname, state }, places)) {
    if (getLink(home, { ifname: state.ifname }) === undefined) {
      return { notes: [`the NIC ${state.ifname} is gone: it was deleted together with its namespace`] };
    }
  }
  const link = getLink(home, { ifname: state.ifname });
  if (link === undefined) throw new NoDevice(state.ifname);
  const ref = { ifindex: link.ifindex };
  const master = state.master === undefined ? undefined : getLink(home, { ifname: state.master })?.ifindex;
  home.request(
    setLink(ref, {
      mtu: state.mtu,
      ...(state.mac === '' || state.mac === link.mac ? {} : { mac: state.mac as never }),
      ...(master === undefined ? {} : { master }),
    }),
  );
  places.leave();
  // Before it is up: among them is how IPv6 link-local addresses are made.
  restoreDeviceSysctls(state.sysctls);
  if (state.up) home.request(setLink(ref, { up: true }));
  const back: Request[] = [
    ...state.addresses.map(({ ip, broadcast, scope }) =>
      newAddress({
        ifindex: link.ifindex,
        address: ip,
        ...(broadcast === undefined ? {} : { broadcast }),
        scope: scopeName(scope) as Scope,
        nodad: true,
      }),
    ),
    ...state.routes.map((payload) => rawRoute(Buffer.from(payload, 'base64'))),
  ];
  const refused = home.batch(back).find((failure) => failure !== undefined && failure.code !== 'EEXIST');
  return refused === undefined
    ? nothing
    : { notes: [`${state.ifname} is back, but not all of its routes: ${refused.code}`] };
}

/** Moves the NIC out of the lab's namespace if it is still in there. */
function moveHome(
  { place, ifname, state }: { place: Place; ifname: IfName; state: LinkState },
  places: Places,
): boolean {
  if (place === null || !isNetns(places.pin(place))) return false;
  const route = places.route(place);
  const inside = getLink(route, { ifname }) ?? getLink(route, { ifname: state.ifname });
  if (inside === undefined) return false;
  route.request(setLink({ ifindex: inside.ifindex }, { up: false }));
  route.request(setLink({ ifindex: inside.ifindex }, { netnsFd: places.home, ifname: state.ifname }));
  return true;
}

/** One umount lets all namespaces go; the names and what may be empty now follow. */
function deleteNetns(names: readonly NetnsName[], places: Places): void {
  places.closeSockets();
  places.leave();
  const pins = pinsDir(labOf(places));
  unmountPins(pins);
  for (const name of names) unnameNetns(name, places.pin(name));
  removeIfEmpty(NETNS_DIR);
}
