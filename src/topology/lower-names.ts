// Kernel names of interfaces. A name that fits is taken as it is. A longer one becomes its first bytes, a dash and a part of
// its SHA-256, and is kept in full as an alternative name (IFLA_ALT_IFNAME, since Linux 5.5). The short name depends on
// nothing but the full one, unless another interface of the node has it already. Limits: IFNAMSIZ, ALTIFNAMSIZ (linux/if.h).

import { createHash } from 'node:crypto';
import { ALTNAME_MAX, IFNAME_MAX, type IfName, ifNameShape, parseIfName } from '../base/names.ts';
import type { DraftInterface, DraftNode, Lowering } from './draft.ts';
import { quote } from './values.ts';

/** Characters of the hash in a short name: 20 bits. */
const HASH = 5;

/** The devices of the file on the machine are other ones in each copy: `veth0-7`. Those of networks have the lab's name in theirs. */
export function nameForCopy(lab: Lowering): void {
  if (lab.copy === undefined) return;
  for (const node of lab.nodes) {
    if (node.place !== null) continue;
    for (const draft of node.interfaces.values()) draft.kernelName = `${draft.name}-${lab.copy.number}`;
  }
}

/** Gives every interface its kernel name. Called when all interfaces of all nodes are known. */
export function assignIfnames(lab: Lowering): void {
  for (const node of lab.nodes) assignNode(lab, node);
}

function assignNode(lab: Lowering, node: DraftNode): void {
  const taken = new Set<string>(node.interfaces.keys());
  for (const draft of node.interfaces.values()) {
    const name = draft.kernelName ?? draft.name;
    const fits = parseIfName(name);
    if (fits.ok) draft.ifname = fits.value;
    else if (isPossible(lab, draft)) {
      draft.ifname = shortIfname(name, taken);
      draft.altname = name;
      taken.add(draft.ifname);
    }
  }
}

function isPossible(lab: Lowering, draft: DraftInterface): boolean {
  const bytes = Buffer.byteLength(draft.kernelName ?? draft.name);
  const part = draft.path[0] === 'nodes' ? ('key' as const) : undefined;
  const at = { path: draft.path, part };
  const shape = draft.name === '' ? 'is empty' : ifNameShape(draft.name);
  if (shape !== undefined) {
    lab.report.add({
      ...at,
      code: 'IFNAME_INVALID',
      message: `interface name ${quote(draft.name)} ${shape}`,
    });
    return false;
  }
  if (bytes > ALTNAME_MAX) {
    const message = `interface name has ${bytes} bytes; even an alternative name has ${ALTNAME_MAX} at most`;
    lab.report.add({ ...at, code: 'IFNAME_LONG', message });
    return false;
  }
  return true;
}

/** The short form of a long name; the same every time. */
export function shortIfname(name: string, taken: ReadonlySet<string>): IfName {
  const head = firstBytes(name, IFNAME_MAX - HASH - 1);
  for (let turn = 0; ; turn++) {
    const hash = createHash('sha256')
      .update(turn === 0 ? name : `${name}\0${turn}`)
      .digest('hex');
    const short = `${head}-${hash.slice(0, HASH)}`;
    if (!taken.has(short)) return short as IfName;
  }
}

/** As many whole characters as fit into the bytes. */
function firstBytes(text: string, bytes: number): string {
  let head = '';
  for (const character of text) {
    if (Buffer.byteLength(head + character) > bytes) break;
    head += character;
  }
  return head;
}
