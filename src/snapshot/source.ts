// What a snapshot is made from: namespaces as live/ reads them, under the names that they get in the file, and what is known of
// them besides. Only types here.

import type { NodeName } from '../base/names.ts';
import type { Forwards, NetnsDetails, Sysctls } from '../live/details.ts';
import type { LiveNetns } from '../live/netns.ts';
import type { Lab, Node } from '../model/lab.ts';

export type Source = {
  /** What the node is called in the file; `host` is the machine. */
  readonly name: NodeName;
  readonly live: LiveNetns;
  readonly details: NetnsDetails;
  /** The node of the lab that it belongs to, where that is up. */
  readonly record?: Node;
  /** What ip-netns(8) shows as files of /etc there, by their names; only of a namespace that is no lab's. */
  readonly etc?: Readonly<Record<string, string>>;
  /** Lines for the comment above the node. */
  readonly remarks: readonly string[];
};

export type SnapshotInput = {
  /** What the lab is called in the file, without its prefix. */
  readonly name: string;
  readonly prefix: string;
  /** In the order of the file, without the machine. */
  readonly sources: readonly Source[];
  /** The machine itself; only what belongs to the others is told of it. */
  readonly host: Source;
  /** The lab that is up and that all of the sources are nodes of. */
  readonly record?: Lab;
  /** What a new namespace has that forwards so. */
  readonly defaults: (forwards: Forwards) => Sysctls;
};

/** Where a node's comments come together. */
export class Notes {
  private readonly lines = new Map<string, string[]>();

  add(node: string, text: string): void {
    const known = this.lines.get(node);
    if (known === undefined) this.lines.set(node, [text]);
    else if (!known.includes(text)) known.push(text);
  }

  get byNode(): ReadonlyMap<string, readonly string[]> {
    return this.lines;
  }
}
