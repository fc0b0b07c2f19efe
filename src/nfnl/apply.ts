// Tables into the kernel and out of it, each in one transaction, and the list of those that are there. The socket's network
// namespace decides where. It holds no state; what is in a table is read by read.ts. net/netfilter/nf_tables_api.c.

import { RtnlError } from '../rtnl/error.ts';
import { attributeMap, type Request, readBe32, readString } from '../rtnl/message.ts';
import type { Transport } from '../rtnl/transport.ts';
import { NFGENMSG_LEN, NFT_MSG, NFTA_TABLE, nftRequest, removalBatch, tableBatch } from './batch.ts';
import { checkTable } from './check.ts';
import { faultError, NfnlError, refusalError } from './error.ts';
import type { NftFamily, NftTable } from './ruleset.ts';

export type ApplyTableOptions = {
  /**
   * What a table of the name that is there already means: `refuse` (the default) is an error with EEXIST; `replace` puts the
   * new one in its place in the same transaction, so that no packet passes between the two. Counters begin anew.
   */
  readonly onExisting?: 'refuse' | 'replace';
};

/**
 * Makes the table with all its chains and rules, or nothing. Throws NfnlError, which names the rule that was refused.
 * The transport is one of NETLINK_NETFILTER.
 */
export function applyTable(transport: Transport, table: NftTable, options: ApplyTableOptions = {}): void {
  const faults = checkTable(table);
  if (faults.length > 0) throw faultError(table, faults);
  const batch = tableBatch(table, options.onExisting ?? 'refuse');
  const failures = transport.batch(batch.requests, { oneDatagram: true });
  const refused = refusalError(table, batch, failures);
  if (refused !== undefined) throw refused;
}

/** Removes the table with everything in it. False where it was not there, which is as good. */
export function deleteTable(transport: Transport, family: NftFamily, name: string): boolean {
  const batch = removalBatch(family, name);
  const failures = transport.batch(batch.requests, { oneDatagram: true });
  const missing = failures.some(
    (failure, i) => failure?.code === 'ENOENT' && batch.origins[i]?.kind === 'removal',
  );
  if (missing) return false;
  const refused = refusalError({ family, name, chains: [] }, batch, failures);
  if (refused !== undefined) throw refused;
  return true;
}

/** A table that is in force. The family is a number where nslab has no name for it. */
export type TableEntry = { readonly family: string; readonly name: string; readonly chains: number };

/** NFPROTO_* of linux/netfilter.h, as nft names the families. */
const familyWords: Readonly<Record<number, string>> = {
  1: 'inet',
  2: 'ip',
  3: 'arp',
  5: 'netdev',
  7: 'bridge',
  10: 'ip6',
};

/** All tables of the network namespace, of every family. */
export function listTables(transport: Transport): TableEntry[] {
  return dumpNft(transport, nftRequest(NFT_MSG.getTable, { family: 0 })).map((payload) => {
    const attributes = attributeMap(payload, NFGENMSG_LEN);
    const family = payload.readUInt8(0);
    return {
      family: familyWords[family] ?? String(family),
      name: readString(attributes.get(NFTA_TABLE.name)) ?? '',
      chains: readBe32(attributes.get(NFTA_TABLE.use)) ?? 0,
    };
  });
}

/** A dump of nf_tables; where the kernel has none, the error names the module. */
export function dumpNft(transport: Transport, request: Request): Buffer[] {
  try {
    return transport.dump(request);
  } catch (error) {
    // nfnetlink knows no such subsystem: the kernel has no nf_tables, and has tried to load it.
    if (error instanceof RtnlError && (error.code === 'EINVAL' || error.code === 'EOPNOTSUPP')) {
      throw new NfnlError(`list nf_tables: ${error.message}: the kernel lacks nf_tables`, {
        code: error.code,
        failure: error.failure,
        module: 'nf_tables',
      });
    }
    throw error;
  }
}
