// One change of a lab as a line for people. Everything in it may come from the kernel or from a file, so it is made harmless.

import type { Change, LabEvent } from '../../lab/events.ts';
import { visible } from './visible.ts';

/** `10:05:07.123 pc1:eth0 is down` */
export function eventLine(event: LabEvent): string {
  const at = new Date(event.time);
  const two = (value: number, digits = 2): string => String(value).padStart(digits, '0');
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
  return visible(`${clock} ${eventText(event)}`);
}

/** The change without its time. */
export function eventText(event: { readonly node: string } & Change): string {
  const { node } = event;
  switch (event.event) {
    case 'link':
      return linkText(node, event);
    case 'address':
      return event.change === 'duplicate'
        ? `${node}:${event.interface}: another has address ${event.address} as well`
        : `${node}:${event.interface}: address ${event.address} ${event.change}`;
    case 'route':
      return `${node}: ${routeText(event)} ${event.change}`;
    case 'neighbour':
      return `${node}:${event.interface}: neighbour ${event.address} ${neighbourText(event)}`;
    case 'fdb': {
      const vlan = event.vlan === undefined ? '' : ` in vlan ${event.vlan}`;
      const where = `${event.mac} is ${event.change === 'removed' ? 'no more ' : ''}behind ${event.interface}`;
      return `${node}: ${where}${vlan}`;
    }
    case 'container':
      return event.exit === undefined
        ? `${node}: container is ${event.change}`
        : `${node}: container is ${event.change}, its command ended with ${event.exit}`;
    case 'node':
      return `${node} is gone`;
    case 'lost':
      return `${node}: some events were lost, there were too many at once`;
  }
}

function linkText(node: string, event: Change & { readonly event: 'link' }): string {
  const name = `${node}:${event.interface}`;
  if (event.change === 'added')
    return event.type === undefined ? `${name} was added` : `${name} was added (${event.type})`;
  if (event.change === 'removed') return `${name} was removed`;
  if (event.change === 'carrier') return `${name} has carrier`;
  if (event.change === 'no carrier') return `${name} has no carrier: the other side is down`;
  if (event.change === 'renamed') return `${node}:${event.was} is now called ${event.interface}`;
  if (event.mac !== undefined) return `${name} has mac ${event.mac}`;
  if (event.mtu !== undefined) return `${name} has mtu ${event.mtu}`;
  if (event.master !== undefined)
    return event.master === null ? `${name} has left its master` : `${name} is in ${event.master}`;
  return `${name} is ${event.change}`;
}

function routeText(event: Change & { readonly event: 'route' }): string {
  const { to, type, via, interface: dev, table, nexthops = [] } = event;
  const hop = (one: { readonly via?: string; readonly interface?: string }): string =>
    one.via !== undefined ? ` via ${one.via}` : one.interface !== undefined ? ` on ${one.interface}` : '';
  const ways =
    nexthops.length > 0
      ? nexthops.map(hop).join(' and')
      : hop({ ...(via && { via }), ...(dev && { interface: dev }) });
  const kind = type === 'unicast' ? 'route' : `${type} route`;
  const what = to === 'default' ? `default ${kind}` : `${kind} to ${to}`;
  // RT_TABLE_MAIN
  return `${what}${ways}${table === 254 ? '' : ` in table ${table}`}`;
}

function neighbourText(event: Change & { readonly event: 'neighbour' }): string {
  if (event.change === 'learned') return `is at ${event.mac}`;
  return event.change === 'failed' ? 'does not answer' : 'removed';
}
