// A name for what an op of the plan makes, by which a difference says that it has to be made. Devices have one name at both ends.

import type { IfName } from '../base/names.ts';
import { assertNever } from '../base/result.ts';
import type { Place } from '../model/lab.ts';
import type { Op } from '../plan/op.ts';

export function placeKey(place: Place): string {
  return `netns ${place ?? ''}`;
}

export function deviceKey(place: Place, ifname: IfName | string): string {
  return `device ${place ?? ''} ${ifname}`;
}

export function entryKey(kind: string, place: Place, entry: object): string {
  return `${kind} ${place ?? ''} ${JSON.stringify(entry)}`;
}

/** Names of what the op makes, or of what has to be new for it to be needed. */
export function stepKeys(op: Op): string[] {
  switch (op.kind) {
    case 'createNetns':
      return [placeKey(op.netns)];
    case 'createLink': {
      const { place, link } = op;
      const near = deviceKey(place, link.ifname);
      return link.type === 'veth' ? [near, deviceKey(link.peer.place, link.peer.ifname)] : [near];
    }
    case 'moveLink':
      return [deviceKey(op.place, op.ifname)];
    case 'addAddress':
      return [deviceKey(op.place, op.ifname), entryKey('address', op.place, [op.ifname, op.address])];
    case 'addFdb':
      return [deviceKey(op.place, op.ifname), entryKey('fdb', op.place, [op.ifname, op.dst])];
    case 'setWireguard':
      return [deviceKey(op.place, op.ifname), entryKey('wireguard', op.place, [op.ifname])];
    case 'setLink':
    case 'setPort':
    case 'addVlan':
    case 'delVlan':
      return [deviceKey(op.place, op.ifname)];
    case 'addRoute':
      return [placeKey(op.place), entryKey('route', op.place, op.route)];
    case 'addRule':
      return [placeKey(op.place), entryKey('rule', op.place, op.rule)];
    case 'addNeighbour':
      return [deviceKey(op.place, op.neighbour.dev), entryKey('neighbour', op.place, op.neighbour)];
    case 'setSysctl':
      return [placeKey(op.place), entryKey('sysctl', op.place, [op.key])];
    case 'addTable':
      return [placeKey(op.place), entryKey('table', op.place, [])];
    case 'setQdisc':
      return [deviceKey(op.place, op.ifname), entryKey('qdisc', op.place, [op.ifname])];
    case 'linkEtc':
      return [placeKey(op.netns), entryKey('etc', op.netns, [])];
    case 'startContainer':
      return [entryKey(op.kind, null, [op.node])];
    case 'runCommand':
      return [entryKey(op.kind, null, [op.node, op.argv])];
    case 'writeEtc':
      return [entryKey('view', null, [op.view])];
    case 'awaitContainer':
      return [];
    default:
      return assertNever(op);
  }
}
