// Wires and the interfaces they end in. An interface may be described under its node and at the end of its link; the two are
// put together here, and where they contradict each other that is a problem with both places.

import { isDeepStrictEqual } from 'node:util';
import type { IfName } from '../base/names.ts';
import { type DraftInterface, type DraftNode, keyPath, type Lowering, type Placed } from './draft.ts';
import { BRIDGE, findNode, HOST } from './lower-nodes.ts';
import type { Path } from './problems.ts';
import type { LinkFile } from './schema.ts';
import type { AddressFile, EndpointFile, InterfaceFile } from './schema-interface.ts';
import { bridgeKeys } from './schema-interface.ts';
import { quote } from './values.ts';

/** Makes a draft of every interface that the nodes describe, and the bridge of every bridge node. */
export function draftInterfaces(lab: Lowering): void {
  for (const node of lab.nodes) {
    if (node.kind === 'bridge') draftBridge(lab, node);
    for (const [name, file] of Object.entries(node.file.interfaces ?? {})) {
      const path = [...node.path, 'interfaces', name];
      const draft = node.interfaces.get(name) ?? newInterface(node, name, path);
      describe(lab, draft, { value: file, path });
      if (name === 'lo') checkLoopback(lab, draft);
    }
  }
}

/** Every namespace has `lo` from its birth; only its addresses, its MTU and its state can be chosen. */
function checkLoopback(lab: Lowering, draft: DraftInterface): void {
  const bad = [...draft.keyHomes.keys()].find((key) => key !== 'mtu' && key !== 'up');
  if (bad !== undefined) {
    const message = `${quote(bad)} cannot be chosen for \`lo\`, the loopback interface that every namespace has`;
    lab.report.add({
      code: 'NAME_RESERVED',
      message,
      path: keyPath(draft, bad),
      part: 'key',
    });
  } else if (draft.node.place === null) {
    const message = 'nslab does not change the loopback interface of the machine itself';
    lab.report.add({ code: 'NAME_RESERVED', message, path: draft.path, part: 'key' });
  }
  draft.keys.type = 'loopback';
}

/** An interface without keys, which nothing of that name describes yet. */
export function newInterface(node: DraftNode, name: string, path: Path): DraftInterface {
  const draft: DraftInterface = {
    node,
    name,
    ifname: name as IfName,
    path,
    keys: {},
    keyHomes: new Map(),
    addresses: [],
    slots: [],
  };
  node.interfaces.set(name, draft);
  return draft;
}

function draftBridge(lab: Lowering, node: DraftNode): void {
  const draft = newInterface(node, BRIDGE, node.path);
  const options: Record<string, unknown> = { type: 'bridge' };
  for (const key of Object.keys(bridgeKeys)) {
    if (Object.hasOwn(node.file, key)) options[key] = node.file[key as keyof typeof node.file];
  }
  describe(lab, draft, { value: options, path: node.path });
}

/** Puts the keys of one description into the draft. */
function describe(
  lab: Lowering,
  draft: DraftInterface,
  from: Placed<Partial<InterfaceFile> | EndpointFile>,
): void {
  const keys = draft.keys as Record<string, unknown>;
  for (const [key, value] of Object.entries(from.value)) {
    if (key === 'node' || key === 'interface' || key === 'impair') continue;
    if (key === 'addresses') {
      const entries = (value as InterfaceFile['addresses']) ?? [];
      const list = entries.map((entry, index) => ({ value: entry, path: [...from.path, key, index] }));
      addAddresses(draft, list);
    } else if (typeof value === 'string' && (key === 'ipv4' || key === 'ipv6')) {
      addAddresses(draft, [{ value, path: [...from.path, key] }]);
    } else if (draft.keyHomes.has(key) && !isDeepStrictEqual(keys[key], value)) {
      conflict(lab, draft, { key, path: [...from.path, key] });
    } else {
      keys[key] = value;
      if (!draft.keyHomes.has(key)) draft.keyHomes.set(key, from.path);
    }
  }
}

/** The same address in both descriptions is one address; twice in one of them is a mistake that the rules report. */
function addAddresses(draft: DraftInterface, added: readonly Placed<AddressFile>[]): void {
  if (draft.addresses.length === 0) {
    draft.addresses.push(...added);
    return;
  }
  const known = new Set(draft.addresses.map(({ value }) => JSON.stringify(value)));
  for (const address of added) {
    if (!known.has(JSON.stringify(address.value))) draft.addresses.push(address);
  }
}

function conflict(lab: Lowering, draft: DraftInterface, { key, path }: { key: string; path: Path }): void {
  const first = keyPath(draft, key);
  lab.report.add({
    code: 'INTERFACE_CONFLICT',
    message: `${quote(key)} of ${draft.node.name}:${draft.name} is another here than at the first place`,
    hint: 'say it in one place',
    path,
    related: { message: 'the first place', path: first },
  });
}

type End = {
  readonly node: DraftNode;
  readonly ifname: string | undefined;
  readonly path: Path;
  readonly file: EndpointFile;
};

/** Reads all links, then makes them: ports of bridge nodes get names that no other link of the node has chosen. */
export function draftLinks(lab: Lowering): void {
  const links = (lab.file.links ?? []).map((file, index) => readLink(lab, file, ['links', index]));
  const namer = portNamer(links);
  for (const link of links) {
    if (link === undefined) continue;
    const [a, b] = [attach(lab, link.ends[0], namer), attach(lab, link.ends[1], namer)];
    const index = lab.links.length;
    lab.links.push({ file: link.file, path: link.path, ends: [a, b] });
    a.wire ??= { peer: b, link: index };
    b.wire ??= { peer: a, link: index };
    shareKeys(lab, link, [a, b]);
  }
}

type ReadLink = { readonly file: LinkFile; readonly path: Path; readonly ends: readonly [End, End] };

function readLink(lab: Lowering, file: LinkFile, path: Path): ReadLink | undefined {
  const place = [...path, 'endpoints'];
  const ends = file.endpoints.map((end, index) => readEnd(lab, end, [...place, index]));
  if (ends.length !== 2) {
    const hint =
      ends.length > 2 ? 'several machines on one wire need a bridge node between them' : 'add the other end';
    return lab.report.fail(
      place,
      'ENDPOINT_INVALID',
      `a link has two ends, this one has ${ends.length}`,
      hint,
    );
  }
  const [a, b] = ends;
  return a === undefined || b === undefined ? undefined : { file, path, ends: [a, b] };
}

function readEnd(lab: Lowering, file: EndpointFile, path: Path): End | undefined {
  if (typeof file !== 'string') {
    const node = endNode(lab, file.node, [...path, 'node']);
    const ifname = file.interface === undefined ? undefined : String(file.interface);
    return node === undefined ? undefined : checkEnd(lab, { node, ifname, path, file });
  }
  const colon = file.indexOf(':');
  const name = colon < 0 ? file : file.slice(0, colon);
  const ifname = colon < 0 ? undefined : file.slice(colon + 1);
  if (name === '' || ifname === '' || ifname?.includes(':')) {
    return lab.report.fail(
      path,
      'ENDPOINT_INVALID',
      `${quote(file)} is not "node:interface"`,
      'as in "pc1:eth0"',
    );
  }
  const node = endNode(lab, name, path);
  return node === undefined ? undefined : checkEnd(lab, { node, ifname, path, file });
}

function endNode(lab: Lowering, name: string, path: Path): DraftNode | undefined {
  const node = findNode(lab, name, path);
  if (node !== undefined) return node;
  return lab.report.fail(
    path,
    'NODE_UNDEFINED',
    `there is no node ${quote(name)}`,
    lab.report.nearName(name, () => [...lab.byName.keys(), HOST]) ?? `add it to \`nodes\``,
  );
}

function checkEnd(lab: Lowering, end: End): End | undefined {
  const { node, ifname, path } = end;
  if (ifname === undefined && node.kind !== 'bridge') {
    const message = `the end at ${quote(node.name)} names no interface, and only a bridge node chooses one itself`;
    return lab.report.fail(path, 'ENDPOINT_INVALID', message, `write "${node.name}:eth0"`);
  }
  if (ifname === 'lo') {
    return lab.report.fail(
      path,
      'NAME_RESERVED',
      '`lo` is the loopback interface of the node, and no wire ends there',
    );
  }
  if (node.kind === 'bridge' && ifname === BRIDGE) {
    const message = `${BRIDGE} is the bridge of ${quote(node.name)} itself, and a wire ends in one of its ports`;
    return lab.report.fail(path, 'ENDPOINT_INVALID', message, `write "${node.name}" alone`);
  }
  return end;
}

type Namer = (node: DraftNode) => string;

/** `p1`, `p2`, ... in the order of the links, around those that the file uses itself. */
function portNamer(links: readonly (ReadLink | undefined)[]): Namer {
  const chosen = new Map<DraftNode, Set<string>>();
  const counters = new Map<DraftNode, number>();
  const ends = links.flatMap((link) => link?.ends ?? []);
  for (const { node, ifname } of ends) {
    if (ifname === undefined && !chosen.has(node)) chosen.set(node, new Set(node.interfaces.keys()));
  }
  for (const { node, ifname } of ends) if (ifname !== undefined) chosen.get(node)?.add(ifname);
  return (node) => {
    let number = counters.get(node) ?? 0;
    do number++;
    while (chosen.get(node)?.has(`p${number}`));
    counters.set(node, number);
    return `p${number}`;
  };
}

function attach(lab: Lowering, end: End, namer: Namer): DraftInterface {
  const name = end.ifname ?? namer(end.node);
  const draft = end.node.interfaces.get(name) ?? newInterface(end.node, name, end.path);
  if (draft.keys.type !== undefined && draft.keys.type !== 'veth') {
    const message = `a link ends at ${end.node.name}:${name}, which is a ${draft.keys.type} and not the end of a wire`;
    const related = { message: 'its type', path: keyPath(draft, 'type') };
    lab.report.add({ code: 'INTERFACE_CONFLICT', message, path: end.path, related });
  }
  if (typeof end.file !== 'string') describe(lab, draft, { value: end.file, path: end.path });
  if (end.node.kind === 'bridge') draft.keys.master ??= BRIDGE;
  return draft;
}

/** What a link says for both of its ends. An end that says it itself wins. */
function shareKeys(lab: Lowering, { file, path, ends }: ReadLink, drafts: readonly DraftInterface[]): void {
  if (file.mtu === undefined && file.ipv4 === undefined && file.ipv6 === undefined) return;
  for (const [index, draft] of drafts.entries()) {
    if (file.mtu !== undefined && draft.keys.mtu === undefined) {
      draft.keys.mtu = file.mtu;
      draft.keyHomes.set('mtu', path);
    }
    for (const family of ['ipv4', 'ipv6'] as const) {
      const value = file[family]?.[index];
      if (value !== undefined && value !== '')
        addAddresses(draft, [{ value, path: [...path, family, index] }]);
    }
  }
  for (const family of ['ipv4', 'ipv6'] as const) {
    const count = file[family]?.length ?? 0;
    if (count > ends.length)
      lab.report.fail(
        [...path, family, 2],
        'ENDPOINT_INVALID',
        `a link has two ends, and here are ${count} addresses`,
      );
  }
}
