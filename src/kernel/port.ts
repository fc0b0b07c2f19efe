// The one seam between what nslab wants and what the machine does: linux.ts is the machine, test/support/fake-kernel.ts a
// model of it in memory. All calls are synchronous: a thread that is inside a foreign namespace must not run callbacks.

import type { IpAddress, IpInterface, IpPrefix } from '../base/ip.ts';
import type { IfName, LabName, NetnsName, NodeName } from '../base/names.ts';
import type { Impairment, Place } from '../model/lab.ts';
import type { LinkState, Step, UndoOp } from '../plan/op.ts';

/** Why an op was refused: the kernel's own word and text, if it gave any. */
export type OpFailure = {
  /** `EEXIST`, `ENOENT`, ... */
  readonly code: string;
  /** One line: what was tried and what the kernel said. */
  readonly message: string;
  readonly hint?: string;
  /** The kernel module that would have what the running kernel has not. */
  readonly lacks?: string;
};

export type RunResult =
  /** `notes` are for the user: what the machine could not grant. */
  | { readonly done: number; readonly notes?: readonly string[] }
  /** ops[done] failed; later ones of the same batch may have been made as well, so undo has to expect them. */
  | { readonly done: number; readonly failure: OpFailure };

export type UndoResult = { readonly failure?: OpFailure; readonly notes: readonly string[] };

/** What of the host decides whether a lab may come up. */
export type Observed = {
  readonly netns: readonly string[];
  readonly links: readonly {
    readonly ifname: IfName;
    readonly group: number;
    readonly addresses: readonly IpInterface[];
  }[];
  /** Subnets the host reaches otherwise than by its default route. */
  readonly routes: readonly { readonly to: IpPrefix; readonly dev: string }[];
  /** nft tables as `FAMILY NAME`. */
  readonly tables: readonly string[];
};

/** Why a port of the machine cannot be had. */
export type PortRefusal = {
  /** `EADDRINUSE`, `EADDRNOTAVAIL`, ... */
  readonly code: string;
  readonly holder?: PortHolder;
};

/** Who listens there. */
export type PortHolder = { readonly pid: number; readonly program: string };

/** `dead`: its monitor was killed, and the container with it. */
export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead';

/** A container as its monitor says, held against the processes that there are. */
export type ContainerState = {
  readonly status: ContainerStatus;
  /** Of its process 1, as the machine counts; 0 when there is none. */
  readonly pid: number;
  /** When that began, in ticks since boot: together with the pid it names one process for ever. */
  readonly start: number;
  readonly monitor: number;
  readonly monitorStart: number;
  /** The monitor lives. */
  readonly monitored: boolean;
  /** RFC 3339, UTC, nanoseconds; so are the two others. */
  readonly created: string;
  readonly started?: string;
  readonly finished?: string;
  /** The last exit status, 128 + the signal's number when one ended it; null before the first. */
  readonly exit: number | null;
  readonly signal: number;
  /** The kernel ended a process of it for want of memory. */
  readonly oom: boolean;
  readonly restarts: number;
  readonly health?: 'starting' | 'healthy' | 'unhealthy';
  /** What the last check printed. */
  readonly healthLog?: string;
  readonly error?: string;
};

/** A device of a place as it is now. */
export type DeviceView = {
  readonly ifname: IfName;
  readonly altnames: readonly string[];
  readonly type: string;
  readonly up: boolean;
  /** Up, and the other side is there. */
  readonly running: boolean;
  readonly mac?: string;
  readonly mtu?: number;
  readonly master?: string;
  readonly addresses: readonly IpInterface[];
};

/** What is at the root of a device, where somebody has put something there. */
export type QdiscView = {
  readonly kind: string;
  /** What it does, in a file's words; absent where that is none of them. */
  readonly impair?: Impairment;
};

/** What the kernel takes from a link that is set down. */
export type LinkConfig = Pick<LinkState, 'addresses' | 'routes'>;

/** How far the kernel has come with destroying namespaces: it does so after `down`, in its own time. */
export type NetnsEnd =
  /** Somebody still holds these: a process inside, or one that has them open. */
  | { readonly state: 'held'; readonly netns: readonly NetnsName[] }
  | { readonly state: 'destroying' }
  /** Nothing of them is left, no device and no memory. */
  | { readonly state: 'gone' };

export type NetnsWatch = Disposable & {
  /** Asks the kernel; to be called again until the answer is `gone`. */
  look(): NetnsEnd;
};

export interface Kernel {
  /** Says which lab the following calls are about, and where relative paths of its file begin. Changes nothing. */
  openLab(lab: LabName, folder?: string): void;
  /** An op that has to wait for something fails with EAGAIN, and can be tried again. */
  run(ops: readonly Step[]): RunResult;
  undo(op: UndoOp): UndoResult;
  observe(): Observed;
  /** The value of a sysctl of the machine's own namespace, or undefined where there is no such key. */
  readSysctl(key: string): string | undefined;
  readLinkState(ifname: IfName): LinkState | undefined;
  /** Undefined where a container may publish that port of the machine. */
  refusePort(port: {
    readonly proto: 'tcp' | 'udp';
    readonly address: IpAddress;
    readonly port: number;
  }): PortRefusal | undefined;
  /** Those of the names whose namespace still exists. */
  livingNetns(lab: LabName, names: readonly NetnsName[]): readonly NetnsName[];
  /** Begins to watch namespaces of the open lab, before they are taken down. Nobody else's namespaces are touched. */
  watchNetns(names: readonly NetnsName[]): NetnsWatch;
  /** The devices of a namespace of the open lab, or of the machine's own; undefined where there is no such namespace. */
  readDevices(place: Place): readonly DeviceView[] | undefined;
  /** By the name of the device; those that have what the kernel chose are left out. */
  readQdiscs(place: Place): ReadonlyMap<string, QdiscView>;
  /** Sets a link down, and says what it has lost. */
  takeDown(place: Place, ifname: IfName): LinkConfig;
  /** Sets it up again and gives it back what it had. */
  bringUp(place: Place, ifname: IfName, config: LinkConfig): void;
  /** A container of the open lab; undefined where none of that name was ever started. */
  readContainer(node: NodeName): ContainerState | undefined;
  /** Closes sockets and descriptors. */
  close(): void;
}
