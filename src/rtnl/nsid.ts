// Netns ids: the small numbers by which a namespace knows others, as IFLA_LINK_NETNSID has them. ip-netns(8) "set" and
// "list-id", linux/net_namespace.h, net/core/net_namespace.c.

import { attributeMap, type Request, readS32 } from './message.ts';
import { RTM_GETNSID, RTM_NEWNSID } from './rtnetlink.ts';
import type { Transport } from './transport.ts';

/** sizeof(struct rtgenmsg), padded. */
const RTGENMSG_LEN = 4;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
const NETNSA_TARGET_NSID = 4;
const NETNSA_CURRENT_NSID = 5;
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

/** A number of another namespace, and the number that the same namespace has in the transport's, if it has one there. */
type NsidTranslation = { readonly there: number; readonly here: number | undefined };

/**
 * How the namespace of the number counts, in numbers of the transport's namespace. Linux 4.20. Some kernels (6.18) end this dump
 * with its first datagram (rtnl_net_dumpid() loses EMSGSIZE), after some 900 numbers: {@link nsidWithin} asks for one.
 */
export function translateNsids(transport: Transport, nsid: number): NsidTranslation[] {
  const answers = transport.dump({
    type: RTM_GETNSID,
    payload(writer) {
      writer.zeros(RTGENMSG_LEN);
      writer.attrU32(NETNSA_TARGET_NSID, nsid);
    },
  });
  return answers.flatMap((answer) => {
    const attributes = attributeMap(answer, RTGENMSG_LEN);
    const there = readS32(attributes.get(NETNSA_NSID));
    const here = readS32(attributes.get(NETNSA_CURRENT_NSID));
    if (there === undefined) return [];
    return [{ there, here: here === undefined || here === NOT_ASSIGNED ? undefined : here }];
  });
}

/** The number that one namespace has in another; both are named by their numbers in the transport's. */
export function nsidWithin(transport: Transport, nsid: number, target: number): number | undefined {
  const answer = transport.get({
    type: RTM_GETNSID,
    payload(writer) {
      writer.zeros(RTGENMSG_LEN);
      writer.attrU32(NETNSA_NSID, nsid);
      writer.attrU32(NETNSA_TARGET_NSID, target);
    },
  });
  const found = readS32(attributeMap(answer, RTGENMSG_LEN).get(NETNSA_NSID));
  return found === NOT_ASSIGNED ? undefined : found;
}
