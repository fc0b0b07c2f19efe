// The nodes of a file as drafts: their kind, their namespace's name, and the keys that do not belong to their kind.

import { type NetnsName, type NodeName, parseNodeName } from '../base/names.ts';
import type { NodeKind } from '../model/lab.ts';
import type { DraftInterface, DraftNode, Lowering, Report } from './draft.ts';
import { foreignKey } from './foreign-keys.ts';
import type { Path } from './problems.ts';
import { containerKeys } from './schema-container.ts';
import { bridgeKeys } from './schema-interface.ts';
import type { NodeFile } from './schema-node.ts';
import { quote } from './values.ts';

/** The reserved name of the machine's own namespace. */
export const HOST = 'host';
/** What the bridge of a `kind: bridge` node is called. */
export const BRIDGE = 'br0';

/** Makes a draft of every node of the file. */
export function draftNodes(lab: Lowering): void {
  for (const [name, file] of Object.entries(lab.file.nodes ?? {})) {
    const path = ['nodes', name];
    const kind = nodeKind({ name, file, path }, lab.report);
    if (kind === 'host') draftHost(lab, { name, file, path });
    else draftNode(lab, { name, file, path }, kind);
  }
}

type Entry = { readonly name: string; readonly file: NodeFile; readonly path: Path };

function draftNode(lab: Lowering, { name, file, path }: Entry, kind: NodeKind): void {
  const parsed = parseNodeName(name);
  if (!parsed.ok) {
    lab.report.add({
      code: 'NAME_INVALID',
      message: `node name ${quote(name)} ${parsed.error}`,
      path,
      part: 'key',
    });
  }
  foreignKeys({ name, file, path }, kind, lab.report);
  // A node with a bad name stays, so that the links that end there are not reported as well.
  addNode(lab, name, {
    name: name as NodeName,
    kind,
    place: `${lab.prefix}${name}` as NetnsName,
    file,
    path,
    interfaces: new Map<string, DraftInterface>(),
    autoRoutes: [],
    gateways: [],
  });
}

function addNode(lab: Lowering, name: string, node: DraftNode): void {
  lab.nodes.push(node);
  lab.byName.set(name, node);
}

function draftHost(lab: Lowering, { name, file, path }: Entry): void {
  const first = lab.byName.get(HOST);
  if (first !== undefined) {
    const message = `the machine is a node already: ${quote(String(first.path.at(-1)))}`;
    lab.report.add({
      code: 'NAME_DUPLICATE',
      message,
      hint: 'describe all interfaces of the machine in one node',
      path,
      part: 'key',
      related: { message: 'the first one', path: first.path, part: 'key' },
    });
    lab.byName.set(name, first);
    return;
  }
  foreignKeys({ name, file, path }, 'host', lab.report);
  const host = hostNode(file, path);
  addNode(lab, HOST, host);
  lab.byName.set(name, host);
}

function hostNode(file: NodeFile, path: Path): DraftNode {
  const interfaces = new Map<string, DraftInterface>();
  return {
    name: HOST as NodeName,
    kind: 'host',
    place: null,
    file,
    path,
    interfaces,
    autoRoutes: [],
    gateways: [],
  };
}

/** The node of that name. `host` comes into being when a link first names it. */
export function findNode(lab: Lowering, name: string, path: Path): DraftNode | undefined {
  const known = lab.byName.get(name);
  if (known !== undefined || name !== HOST) return known;
  const host = hostNode({}, path);
  addNode(lab, HOST, host);
  return host;
}

function nodeKind({ name, file, path }: Entry, report: Report): NodeKind {
  const contained = file.image !== undefined || file.rootfs !== undefined;
  const kind = file.kind ?? (name === HOST ? 'host' : 'linux');
  if (name === HOST && kind !== 'host') {
    report.fail(
      [...path, 'kind'],
      'NAME_RESERVED',
      `the node "host" is the machine itself and cannot be a ${kind}`,
      'give the node another name',
    );
    return 'host';
  }
  switch (kind) {
    case 'host':
    case 'bridge':
      return kind;
    case 'container':
      if (!contained) {
        const hint = 'add `image: alpine`, or `rootfs: host` for the files of this machine';
        report.fail([...path, 'kind'], 'MISSING_KEY', 'a container needs `image` or `rootfs`', hint);
      }
      return 'container';
    case 'netns':
      if (contained) {
        report.fail(
          [...path, 'kind'],
          'INTERFACE_CONFLICT',
          'a node with an image is a container, not a bare namespace',
          'leave `kind` out',
        );
      }
      return contained ? 'container' : 'netns';
    case 'router':
      return contained ? 'container' : 'router';
    case 'linux':
      return contained ? 'container' : 'netns';
  }
}

const bridgeNames = new Set(Object.keys(bridgeKeys));
const containerNames = new Set(Object.keys(containerKeys));
/** What would change the machine itself, with no way back. */
const notOnHost: Readonly<Record<string, string>> = {
  hosts: "nslab does not write the machine's own /etc/hosts",
  dns: "nslab does not write the machine's own /etc/resolv.conf",
};

/** Keys that the schema allows in a node, but not in one of this kind. */
function foreignKeys({ name, file, path }: Entry, kind: NodeKind, report: Report): void {
  for (const key of Object.keys(file)) {
    const isForeign = bridgeNames.has(key) || containerNames.has(key) || Object.hasOwn(notOnHost, key);
    if (!isForeign) continue;
    const at = { code: 'UNKNOWN_KEY', path: [...path, key], part: 'key' } as const;
    if (bridgeNames.has(key) && kind !== 'bridge') {
      const message = `${quote(key)} is a key of bridges, and ${quote(name)} is not one`;
      report.add({
        ...at,
        message,
        hint:
          foreignKey(key, 'node') ??
          '`kind: bridge` makes a node a switch; an interface can have `type: bridge`',
      });
    } else if (containerNames.has(key) && kind !== 'container') {
      const message = `${quote(key)} is a key of containers, and ${quote(name)} is none`;
      const hint =
        kind === 'netns' || kind === 'router'
          ? 'add `image`, or `rootfs: host`'
          : `remove it, or change \`kind: ${kind}\``;
      report.add({ ...at, message, hint });
    } else if (kind === 'host' && Object.hasOwn(notOnHost, key)) {
      report.add({ ...at, code: 'KEY_UNSUPPORTED', message: notOnHost[key] ?? '' });
    }
  }
}
