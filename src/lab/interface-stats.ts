// What passes the interfaces of labs, as the kernel counts it. Packets are counted from the start, so a rate takes two looks.

import type { LinkStats } from '../kernel/counters.ts';
import type { Target } from './targets.ts';

export type InterfaceTarget = Target & { readonly lab: string };

/** One look. */
export type InterfaceSample = {
  readonly at: number;
  /** By lab, node and ifindex. */
  readonly interfaces: ReadonlyMap<string, { readonly target: InterfaceTarget; readonly stats: LinkStats }>;
};

/** A second of what passed; null at the first look and for an interface that was not there then. */
type Rates = {
  readonly rxPacketRate: number | null;
  readonly txPacketRate: number | null;
  /** Bits. */
  readonly rxBitRate: number | null;
  readonly txBitRate: number | null;
};

export type InterfaceUsage = Omit<LinkStats, 'ifindex' | 'ifname'> &
  Rates & { readonly node: string; readonly lab: string; readonly interface: string };

/** Loaded when it is needed: it brings the system calls with it. */
export async function takeInterfaceSample(targets: readonly InterfaceTarget[]): Promise<InterfaceSample> {
  const { readCounters } = await import('../kernel/counters.ts');
  const found = readCounters(targets.map(({ pin }) => pin));
  const interfaces = targets.flatMap((target, i) =>
    (found[i] ?? [])
      .filter(({ ifname }) => isMeant(target, ifname))
      .map((stats) => [`${target.lab}/${target.node}/${stats.ifindex}`, { target, stats }] as const),
  );
  return { at: performance.now(), interfaces: new Map(interfaces) };
}

function isMeant({ only, maybe, others }: Target, ifname: string): boolean {
  return only.includes(ifname) || maybe.includes(ifname) || (others && ifname !== 'lo');
}

/** What had passed at the second look, and the rates since the first. */
export function interfaceUsageBetween(before: InterfaceSample, after: InterfaceSample): InterfaceUsage[] {
  const seconds = (after.at - before.at) / 1000;
  return [...after.interfaces].map(([key, { target, stats }]): InterfaceUsage => {
    const { ifindex: _, ifname, ...counts } = stats;
    const then = before.interfaces.get(key)?.stats;
    // Counters that have gone back are those of another interface with the same index.
    const rate = (name: 'rxPackets' | 'txPackets' | 'rxBytes' | 'txBytes', factor = 1): number | null =>
      then === undefined || seconds <= 0 || counts[name] < then[name]
        ? null
        : ((counts[name] - then[name]) * factor) / seconds;
    return {
      node: target.node,
      lab: target.lab,
      interface: ifname,
      ...counts,
      rxPacketRate: rate('rxPackets'),
      txPacketRate: rate('txPackets'),
      rxBitRate: rate('rxBytes', 8),
      txBitRate: rate('txBytes', 8),
    };
  });
}
