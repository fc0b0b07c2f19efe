// NAT and firewall of a node, in nft's words but free of nf_tables: plan/ turns them into a table.

import type { IpAddress, IpFamily, IpPrefix } from '../base/ip.ts';

/** One address (`to` absent) or an inclusive range. */
export type AddressRange = { readonly from: IpAddress; readonly to?: IpAddress };
/** One port (`to` absent) or an inclusive range. */
export type PortRange = { readonly from: number; readonly to?: number };

/** Where NAT sends or seems to come from. At least one of the two is there. */
export type NatTarget = { readonly address?: AddressRange; readonly port?: PortRange };

/** Interface names may end in `*`, as nft has it. */
export type NatRule =
  | {
      readonly kind: 'masquerade';
      /** Absent: both families. */
      readonly family?: IpFamily;
      readonly out: string;
      readonly source?: IpPrefix;
      readonly path: string;
    }
  | {
      readonly kind: 'snat';
      readonly family: IpFamily;
      readonly out: string;
      readonly source?: IpPrefix;
      readonly to: NatTarget;
      readonly path: string;
    }
  | {
      readonly kind: 'dnat';
      readonly family: IpFamily;
      readonly in?: string;
      readonly destination?: IpPrefix;
      readonly proto?: 'tcp' | 'udp';
      readonly port?: PortRange;
      readonly to: NatTarget;
      readonly path: string;
    };

export type Firewall = {
  readonly input?: FirewallChain;
  readonly forward?: FirewallChain;
  readonly output?: FirewallChain;
};

export type FirewallChain = {
  readonly policy: 'accept' | 'drop';
  readonly rules: readonly FirewallRule[];
  readonly path: string;
};

export type CtState = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

/** All conditions must hold; a list matches when one of its members does. */
export type FirewallRule = {
  readonly in?: string;
  readonly out?: string;
  readonly source?: readonly (IpPrefix | AddressRange)[];
  readonly destination?: readonly (IpPrefix | AddressRange)[];
  readonly proto?: 'tcp' | 'udp' | 'icmp' | 'icmpv6' | number;
  readonly sport?: readonly PortRange[];
  readonly port?: readonly PortRange[];
  readonly icmp_type?: string;
  readonly ct?: readonly CtState[];
  readonly counter: boolean;
  readonly log?: string;
  readonly action: 'accept' | 'drop' | 'reject';
  readonly comment?: string;
  readonly path: string;
};
