// All settings of devices that /proc/sys/net/*/{conf,neigh}/IF shows, as bytes to compare: two devices with the same bytes have the same
// values there, so that a reader of a thousand devices need not open a hundred files for each. linux/if_link.h IFLA_INET_CONF and
// IFLA_INET6_CONF, linux/neighbour.h NDTA_PARMS; rtnetlink(7).

import { IFLA_AF_SPEC } from './link-attributes.ts';
import { attributeMap, readString, readU32 } from './message.ts';
import { AF_INET, AF_INET6, IFINFOMSG_LEN, RTM_GETLINK, writeIfinfomsg } from './rtnetlink.ts';
import type { Transport } from './transport.ts';

// linux/if_link.h, linux/rtnetlink.h, linux/neighbour.h
const IFLA_INET_CONF = 1;
const IFLA_INET6_CONF = 2;
const RTM_GETNEIGHTBL = 66;
const NDTMSG_LEN = 4;
const NDTA_NAME = 1;
const NDTA_PARMS = 6;
const NDTPA_IFINDEX = 1;
/** How many use it, and a time that is drawn by lot around the one that was set. */
const NDTPA_PASSING: ReadonlySet<number> = new Set([NDTPA_IFINDEX, 2, 3]);

/** For each device of the transport's namespace, by its index, its settings as text that means nothing but its equality. */
export function getDeviceSettings(transport: Transport): Map<number, string> {
  const found = new Map<number, string>();
  const add = (ifindex: number, text: string): void => {
    found.set(ifindex, `${found.get(ifindex) ?? ''} ${text}`);
  };
  const links = transport.dump({ type: RTM_GETLINK, payload: (writer) => writeIfinfomsg(writer, {}) });
  for (const payload of links) {
    const families = attributeMap(attributeMap(payload, IFINFOMSG_LEN).get(IFLA_AF_SPEC) ?? Buffer.alloc(0));
    const inet = attributeMap(families.get(AF_INET) ?? Buffer.alloc(0)).get(IFLA_INET_CONF);
    const inet6 = attributeMap(families.get(AF_INET6) ?? Buffer.alloc(0)).get(IFLA_INET6_CONF);
    add(payload.readInt32LE(4), `${inet?.toString('hex')} ${inet6?.toString('hex')}`);
  }
  const tables = transport.dump({ type: RTM_GETNEIGHTBL, payload: (writer) => writer.u32(0) });
  for (const payload of tables) {
    const attributes = attributeMap(payload, NDTMSG_LEN);
    const parms = attributeMap(attributes.get(NDTA_PARMS) ?? Buffer.alloc(0));
    const ifindex = readU32(parms.get(NDTPA_IFINDEX));
    if (ifindex === undefined) continue;
    const values = [...parms]
      .filter(([type]) => !NDTPA_PASSING.has(type))
      .map(([type, value]) => `${type}=${value.toString('hex')}`);
    add(ifindex, `${readString(attributes.get(NDTA_NAME))} ${values.join(',')}`);
  }
  return found;
}
