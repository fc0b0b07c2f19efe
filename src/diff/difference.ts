// One thing in which the kernel is not as the file says, for a reader and for `apply`. Only data.

import type { IfName, NetnsName, NodeName } from '../base/names.ts';
import type { LiveNetns } from '../live/netns.ts';
import type { Lab, Place } from '../model/lab.ts';
import type { ChangeOp, LinkState, Step } from '../plan/op.ts';

export type Subject =
  | 'node'
  | 'interface'
  | 'address'
  | 'route'
  | 'rule'
  | 'neighbour'
  | 'sysctl'
  | 'nft'
  | 'container'
  | 'files';

export type Difference = {
  readonly node: NodeName;
  readonly place: Place;
  /** By the name that the file has for it, or the kernel's for one that the file has not. */
  readonly interface?: string;
  readonly about: Subject;
  /** `missing`: the file has it and the kernel has not; `extra`: the other way round. */
  readonly state: 'missing' | 'extra' | 'different';
  /** One line in the lab's words, the node's name in it. */
  readonly message: string;
  /** How nslab goes about a thing, which no file can say: mended by `apply`, and no difference to a reader. */
  readonly hidden?: true;
  readonly mend: Mend;
};

/** What makes the difference go away. */
export type Mend = {
  /** Before anything is made. */
  readonly remove?: readonly ChangeOp[];
  /** After all devices are there. */
  readonly set?: readonly Step[];
  /** Ops of the plan, by {@link stepKey}. */
  readonly make?: readonly string[];
};

/** What a container is, as its monitor, its files and the record of its lab say. */
export type LiveContainer = {
  readonly status: string;
  readonly exit: number | null;
  /** Digest of the manifest of the image that it was made on. */
  readonly manifest?: string;
};

/** What is compared with a lab. */
export type Live = {
  readonly netns: ReadonlyMap<Place, LiveNetns>;
  readonly containers: ReadonlyMap<NodeName, LiveContainer>;
  /** What was made, where the lab is up: it tells what of the kernel's is the lab's and not in the file any more. */
  readonly before?: Lab | undefined;
  /** The views that namespaces are pointed to. */
  readonly views: ReadonlyMap<NetnsName, string>;
  /** The files of each view, by name. */
  readonly files: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** NICs of the machine that the lab has, with what they had. */
  readonly nics: readonly { readonly place: Place; readonly ifname: IfName; readonly state: LinkState }[];
  /** What settings are in a namespace where nobody set them. */
  readonly fresh: Readonly<Record<string, string>>;
};
