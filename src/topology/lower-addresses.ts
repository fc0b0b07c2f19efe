// Explicit addresses of the file to model addresses. `auto` entries become empty slots that lower-auto.ts fills afterwards,
// when all explicit ones are known and cannot be handed out any more.

import type { IpInterface } from '../base/ip.ts';
import { ipFamily } from '../base/ip.ts';
import type { InterfaceAddress } from '../model/interface.ts';
import type { DraftInterface, Lowering, Report } from './draft.ts';
import { type Path, pathText } from './problems.ts';
import type { AddressFile } from './schema-interface.ts';
import { readIpInterface } from './values.ts';

export const AUTO = 'auto';

/** Reads the addresses of every interface into slots. */
export function readAddresses(lab: Lowering): void {
  for (const node of lab.nodes) {
    for (const draft of node.interfaces.values()) {
      for (const { value, path } of draft.addresses) readEntry(lab.report, draft, { value, path });
    }
  }
}

function readEntry(report: Report, draft: DraftInterface, entry: { value: AddressFile; path: Path }): void {
  const { value, path } = entry;
  const text = typeof value === 'string' ? value : value.address;
  const textPath = typeof value === 'string' ? path : [...path, 'address'];
  if (text.trim().toLowerCase() === AUTO) {
    draft.slots.push({ path, auto: true, resolved: [] });
    return;
  }
  const ip = readIpInterface(text, { report, path: textPath });
  if (ip === undefined) return;
  const options = typeof value === 'string' ? undefined : readOptions(report, value, { path, ip });
  draft.slots.push({ path, auto: false, resolved: [interfaceAddress(ip, path, options)] });
}

type Options = { peer?: IpInterface; scope?: 'global' | 'link' | 'host'; dad?: boolean };

function readOptions(
  report: Report,
  value: Exclude<AddressFile, string>,
  { path, ip }: { path: Path; ip: IpInterface },
): Options {
  const options: Options = {};
  if (value.scope !== undefined) options.scope = value.scope;
  if (value.dad !== undefined) options.dad = value.dad;
  if (value.peer === undefined) return options;
  const family = ipFamily(ip);
  const text = value.peer.includes('/') ? value.peer : `${value.peer}/${family === 4 ? 32 : 128}`;
  const peer = readIpInterface(text, { report, path: [...path, 'peer'] });
  if (peer !== undefined && ipFamily(peer) !== family) {
    report.fail([...path, 'peer'], 'ADDRESS_INVALID', `the address is IPv${family} and its peer is not`);
  } else if (peer !== undefined) options.peer = peer;
  return options;
}

/** An address of the model. */
export function interfaceAddress(ip: IpInterface, path: Path, options?: Options): InterfaceAddress {
  if (options === undefined) return { ip, nodad: true, path: pathText(path) };
  const { dad, ...rest } = options;
  return { ip, ...rest, nodad: dad !== true, path: pathText(path) };
}

/** All addresses of the interface, in the order of the file. */
export function addressesOf(draft: DraftInterface): readonly InterfaceAddress[] {
  const [first, second] = draft.slots;
  if (first === undefined) return [];
  if (second === undefined) return first.resolved;
  return draft.slots.flatMap((slot) => slot.resolved);
}
