// All tables of the namespace where the calling thread is.

import { NETLINK_NETFILTER, Transport } from '../rtnl/transport.ts';
import { codeOf } from '../sys/errno.ts';
import { listTables } from './apply.ts';
import { readTable, type TableForm } from './read.ts';
import type { NftFamily } from './ruleset.ts';

const families: readonly string[] = ['inet', 'ip', 'ip6'] satisfies NftFamily[];

export type AllTables = {
  readonly tables: readonly TableForm[];
  /** Of the other families, as `FAMILY NAME`. */
  readonly strangeTables: readonly string[];
};

/** None on a kernel without nf_tables. @throws NfnlError EINTR when they changed all the time while they were read */
export function readTables(): AllTables {
  try {
    using netfilter = Transport.open(NETLINK_NETFILTER);
    const entries = listTables(netfilter);
    const ours = entries.filter(({ family }) => families.includes(family));
    return {
      tables: ours.flatMap(({ family, name }) => readTable(netfilter, family as NftFamily, name)?.form ?? []),
      strangeTables: entries
        .filter(({ family }) => !families.includes(family))
        .map(({ family, name }) => `${family} ${name}`),
    };
  } catch (error) {
    if (['EPROTONOSUPPORT', 'EINVAL', 'EOPNOTSUPP', 'ENOENT'].includes(codeOf(error)))
      return { tables: [], strangeTables: [] };
    throw error;
  }
}
