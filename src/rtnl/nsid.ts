// Netns ids: the small numbers by which a namespace knows others, as IFLA_LINK_NETNSID has them. ip-netns(8) "set" and
// "list-id", linux/net_namespace.h, net/core/net_namespace.c.

import { attributeMap, type Request, readS32 } from './message.ts';
import { RTM_GETNSID, RTM_NEWNSID } from './rtnetlink.ts';
import type { Transport } from './transport.ts';

/** sizeof(struct rtgenmsg), padded. */
const RTGENMSG_LEN = 4;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
/** NETNSA_NSID_NOT_ASSIGNED */
const NOT_ASSIGNED = -1;

/** Gives the namespace of the descriptor a number in the transport's namespace; EEXIST where it has one. */
export function setNsid(netnsFd: number, nsid: number): Request {
  return {
    type: RTM_NEWNSID,
    payload(writer) {
      writer.zeros(RTGENMSG_LEN);
      writer.attrU32(NETNSA_NSID, nsid);
      writer.attrU32(NETNSA_FD, netnsFd);
    },
  };
}

/** The number of the descriptor's namespace in the transport's namespace, or undefined where it was given none. */
export function getNsid(transport: Transport, netnsFd: number): number | undefined {
  const answer = transport.get({
    type: RTM_GETNSID,
    payload(writer) {
      writer.zeros(RTGENMSG_LEN);
      writer.attrU32(NETNSA_FD, netnsFd);
    },
  });
  const nsid = readS32(attributeMap(answer, RTGENMSG_LEN).get(NETNSA_NSID));
  return nsid === NOT_ASSIGNED ? undefined : nsid;
}

/** All numbers that namespaces have in the transport's namespace. One goes when the kernel begins to destroy its namespace. */
export function listNsids(transport: Transport): Set<number> {
  const answers = transport.dump({ type: RTM_GETNSID, payload: (writer) => writer.zeros(RTGENMSG_LEN) });
  const nsids = answers.map((answer) => readS32(attributeMap(answer, RTGENMSG_LEN).get(NETNSA_NSID)));
  return new Set(nsids.filter((nsid) => nsid !== undefined));
}
