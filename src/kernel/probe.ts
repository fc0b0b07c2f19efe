// What the running kernel can do, asked of the kernel itself in a network namespace without a name, which goes when this returns. For
// `nslab doctor`: nothing here may load a module, so the caller asks only for what is there or cannot be loaded.

import { closeSync } from 'node:fs';
import { type Hierarchies, readHierarchies } from '../container/cgroup/hierarchies.ts';
import { enterNetns, inNewNetns, openOwnNetns } from '../netns/pin.ts';
import { listTables } from '../nfnl/apply.ts';
import { delLink, newLink } from '../rtnl/link.ts';
import { moduleOfKind } from '../rtnl/linkinfo/linkinfo.ts';
import { NLM_F_CREATE, NLM_F_EXCL, type Request } from '../rtnl/message.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';
import { codeOf } from '../sys/errno.ts';

/** The kernel module that brings a kind of device. */
export function moduleOfDevice(kind: string): string {
  return moduleOfKind(kind);
}

/** The mounted cgroup hierarchies. */
export function cgroupHierarchies(): Hierarchies {
  return readHierarchies();
}

export type ProbeRequest = {
  /** Kinds of devices to try. */
  readonly kinds: readonly string[];
  readonly nftables: boolean;
  readonly netem: boolean;
};

export type ProbeResult = {
  /** Kinds that the kernel does not know. */
  readonly lacking: readonly string[];
  /** Undefined where it was not asked for. */
  readonly nftables?: boolean;
  readonly netem?: boolean;
};

/**
 * Tries each of them.
 * @throws SyscallError where no namespace can be made: not root, or a sandbox
 */
export function probeNetwork({ kinds, nftables, netem }: ProbeRequest): ProbeResult {
  const home = openOwnNetns();
  try {
    return inNewNetns(home, () => {
      using transport = Transport.open(NETLINK_ROUTE);
      return {
        lacking: kinds.filter((kind) => !knowsKind(transport, kind)),
        ...(nftables ? { nftables: hasNftables() } : {}),
        ...(netem ? { netem: hasNetem(transport) } : {}),
      };
    });
  } finally {
    enterNetns(home);
    closeSync(home);
  }
}

/** A kind that is known and given nothing of what it needs is refused with another errno: rtnl_newlink(), net/core/rtnetlink.c. */
function knowsKind(transport: Transport, kind: string): boolean {
  const request = { ...newLink({ ifname: 'probe', info: { kind: 'dummy' } }), payload: kindOnly(kind) };
  const [failure] = transport.batch([request]);
  // One that was made would be in the way of the next.
  if (failure === undefined) transport.batch([delLink({ ifname: 'probe' })]);
  return failure?.code !== 'EOPNOTSUPP';
}

const IFINFOMSG = 16;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;

/** A name and a kind, and none of the kind's own data. */
function kindOnly(kind: string): Request['payload'] {
  return (writer) => {
    writer.raw(new Uint8Array(IFINFOMSG));
    writer.attrString(IFLA_IFNAME, 'probe');
    const outer = writer.nest(IFLA_LINKINFO);
    writer.attrString(IFLA_INFO_KIND, kind);
    writer.endNest(outer);
  };
}

function hasNftables(): boolean {
  try {
    using transport = Transport.open(NETLINK_NETFILTER);
    listTables(transport);
    return true;
  } catch (error) {
    if (codeOf(error) === '' && !('code' in (error as object))) throw error;
    return false;
  }
}

const RTM_NEWQDISC = 36;
const TC_H_ROOT = 0xffff_ffff;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
/** struct tc_netem_qopt, linux/pkt_sched.h: six times 32 bits, of which the second is the limit in packets. */
const NETEM_WORDS = [0, 1000, 0, 0, 0, 0];

/** On `lo`, which every namespace has as index 1; the discipline goes with the namespace. */
function hasNetem(transport: Transport): boolean {
  const [failure] = transport.batch([
    {
      type: RTM_NEWQDISC,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      payload: (writer) => {
        // struct tcmsg: family and padding, interface, handle, parent, info.
        for (const word of [0, 1, 0, TC_H_ROOT, 0]) writer.u32(word);
        writer.attrString(TCA_KIND, 'netem');
        const options = writer.nest(TCA_OPTIONS);
        for (const word of NETEM_WORDS) writer.u32(word);
        writer.endNest(options);
      },
    },
  ]);
  return failure === undefined;
}
