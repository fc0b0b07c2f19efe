// The machine's kernel behind the Kernel port. It groups consecutive ops of one place into batches, because entering a
// namespace and a system call cost more than a message, and says exactly which op was refused and with which words.
// Everything is synchronous, and every public method is back in the machine's own namespace when it returns.

import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { IfName, LabName, NetnsName, NodeName } from '../base/names.ts';
import { assertNever } from '../base/result.ts';
import type { Place } from '../model/lab.ts';
import { arePinsMounted, createNetns, isNetns, mountPins, nameNetns, withNetnsFd } from '../netns/pin.ts';
import { applyTable } from '../nfnl/apply.ts';
import type { ChangeOp, LinkState, Op, Step, UndoOp } from '../plan/op.ts';
import type { RtnlFailure } from '../rtnl/error.ts';
import { addAltnames, getLink, setLink } from '../rtnl/link.ts';
import type { Request } from '../rtnl/message.ts';
import { NETLINK_GENERIC, NETLINK_NETFILTER, Transport } from '../rtnl/transport.ts';
import { createTun } from '../rtnl/tun.ts';
import { findWireguard, setWireguard } from '../rtnl/wireguard.ts';
import { containerDir, pinOf, pinsDir, usernsPinOf } from '../state/paths.ts';
import { codeOf } from '../sys/errno.ts';
import { readSysctl, writeSysctl } from '../sys/sysctl.ts';
import { Changes, changesEnd, isChange } from './changes.ts';
import { missingCondition } from './container-await.ts';
import { ContainerMaker } from './container-maker.ts';
import { readState } from './container-state.ts';
import { type StartContainer, startContainers } from './containers.ts';
import { EtcLinks, writeEtc } from './etc.ts';
import { failureFrom, failureOfThrown, lacksIpv6 } from './failure.ts';
import { helperExec } from './helper.ts';
import { portHolder, refusedPort } from './listeners.ts';
import { NetnsWatcher } from './netns-watcher.ts';
import { isIdleWithoutIpv6, kernelHasIpv6, withoutIpv6 } from './no-ipv6.ts';
import { observeHost, readDevices, readLinkConfig, readLinkState, readQdiscs, restoreUp } from './observe.ts';
import { Places } from './places.ts';
import type {
  ContainerState,
  DeviceView,
  Kernel,
  LinkConfig,
  NetnsWatch,
  Observed,
  OpFailure,
  PortRefusal,
  QdiscView,
  RunResult,
  UndoResult,
} from './port.ts';
import {
  bornFrom,
  type ConfigOp,
  type CreateLink,
  configRequest,
  createLinkRequest,
  type Lookup,
  NoDevice,
  PASSING_NAME,
  parentOf,
  wireguardConfig,
} from './requests.ts';
import { undoOnHost } from './undo.ts';
import { createOwnedNetns } from './userns.ts';

/** Devices made by one datagram. Each wire holds a descriptor of its peer's namespace open until it is sent. */
const CREATE_BATCH = 100;

const configKinds: ReadonlySet<Step['kind']> = new Set<ConfigOp['kind']>([
  'setLink',
  'setPort',
  'addVlan',
  'delVlan',
  'addAddress',
  'addRoute',
  'addRule',
  'addNeighbour',
  'addFdb',
  'setQdisc',
]);

/** The end of a run of ops that can share one batch with the op at `from`. */
function batchEnd(ops: readonly Step[], from: number): number {
  const first = ops[from];
  if (first === undefined) return from;
  let end = from + 1;
  if (isChange(first)) return changesEnd(ops, from);
  if (first.kind === 'createLink') {
    if (isTun(first)) return end;
    const place = bornFrom(first);
    for (; end < ops.length && end - from < CREATE_BATCH; end++) {
      const op = ops[end];
      if (op?.kind !== 'createLink' || isTun(op) || bornFrom(op) !== place) break;
    }
  } else if (first.kind === 'startContainer') {
    while (ops[end]?.kind === 'startContainer') end++;
  } else if (configKinds.has(first.kind)) {
    const { place } = first as ConfigOp;
    for (; end < ops.length; end++) {
      const op = ops[end];
      if (op === undefined || !configKinds.has(op.kind) || (op as ConfigOp).place !== place) break;
    }
  }
  return end;
}

function isTun(op: CreateLink): boolean {
  return op.link.type === 'tun' || op.link.type === 'tap';
}

export class LinuxKernel implements Kernel {
  readonly #places = new Places();
  readonly #lookup: Lookup = {
    index: (place, ifname) => {
      const index = this.#places.index(place, ifname);
      if (index === undefined) throw new NoDevice(ifname);
      return index;
    },
  };
  readonly #hasIpv6 = kernelHasIpv6();
  #pinsMounted = false;
  #etcLinks: EtcLinks | undefined;
  #containers: ContainerMaker | undefined;
  #changes: Changes | undefined;
  #folder = '';

  openLab(lab: LabName, folder: string = process.cwd()): void {
    this.#places.lab = lab;
    this.#containers = undefined;
    this.#folder = folder;
    this.#pinsMounted = false;
    this.#etcLinks = undefined;
  }

  run(ops: readonly Step[]): RunResult {
    let done = 0;
    const notes: string[] = [];
    try {
      while (done < ops.length) {
        const end = batchEnd(ops, done);
        const result = this.#runBatch(ops.slice(done, end));
        done += result.done;
        if ('failure' in result) return { done, failure: result.failure };
        notes.push(...(result.notes ?? []));
      }
      return notes.length === 0 ? { done } : { done, notes };
    } finally {
      this.#places.leave();
    }
  }

  #runBatch(batch: readonly Step[]): RunResult {
    const [first] = batch;
    if (first === undefined) return { done: 0 };
    if (isChange(first)) {
      this.#changes ??= new Changes(this.#places, this.#lookup);
      return this.#changes.run(batch as readonly ChangeOp[]);
    }
    if (first.kind === 'startContainer') return this.#startContainers(batch as readonly StartContainer[]);
    try {
      if (first.kind === 'createLink') {
        if (!isTun(first)) return this.#createLinks(batch as readonly CreateLink[]);
        this.#createTun(first);
        return { done: 1 };
      }
      if (configKinds.has(first.kind)) return this.#configure(batch as readonly ConfigOp[]);
      const failure = this.#runAlone(first as Exclude<Op, ConfigOp | CreateLink | StartContainer>);
      if (failure === undefined) return { done: 1 };
      if (first.kind !== 'runCommand' || first.mayFail !== true) return { done: 0, failure };
      return { done: 1, notes: [`${first.node}: ${first.argv.join(' ')}: ${failure.message}`] };
    } catch (error) {
      return { done: 0, failure: failureOfThrown(error, first) };
    }
  }

  /** The ops that are not a message to rtnetlink, or not only one. */
  #runAlone(op: Exclude<Op, ConfigOp | CreateLink | StartContainer>): OpFailure | undefined {
    switch (op.kind) {
      case 'createNetns':
        this.#createNetns(op);
        return undefined;
      case 'moveLink':
        this.#moveLink(op);
        return undefined;
      case 'setWireguard':
        this.#setWireguard(op);
        return undefined;
      case 'setSysctl':
        if (!this.#hasIpv6 && isIdleWithoutIpv6(op.key)) return undefined;
        if (!this.#hasIpv6 && op.key.startsWith('net.ipv6.')) return lacksIpv6('ENOENT');
        this.#places.enter(op.place);
        writeSysctl(op.key, op.value);
        return undefined;
      case 'addTable':
        this.#addTable(op);
        return undefined;
      case 'writeEtc':
        writeEtc(this.#lab(), op.view, op.files);
        return undefined;
      case 'linkEtc':
        this.#etcLinks ??= new EtcLinks(this.#lab());
        this.#etcLinks.link(op.netns, op.view);
        return undefined;
      case 'awaitContainer':
        return missingCondition(op.node, op.condition, this.readContainer(op.node));
      case 'runCommand':
        return this.#runCommand(op);
      default:
        return assertNever(op);
    }
  }

  #startContainers(ops: readonly StartContainer[]): RunResult {
    this.#places.leave();
    this.#containers ??= new ContainerMaker(this.#lab(), this.#folder);
    return startContainers(this.#containers, ops);
  }

  #lab(): LabName {
    if (this.#places.lab === undefined) throw new Error('no lab was opened');
    return this.#places.lab;
  }

  #createNetns({ netns, userns }: Extract<Op, { kind: 'createNetns' }>): void {
    if (!this.#pinsMounted) {
      const pins = pinsDir(this.#lab());
      if (!arePinsMounted(pins)) mountPins(pins);
      this.#pinsMounted = true;
    }
    const pin = this.#places.pin(netns);
    if (userns === undefined) {
      createNetns(pin);
      this.#places.arrived(netns);
    } else {
      this.#places.leave();
      createOwnedNetns({ pin, userPin: usernsPinOf(this.#lab(), netns), userns });
    }
    nameNetns(netns, pin);
    this.#places.learnFirstFree(netns);
  }

  #createLinks(all: readonly CreateLink[]): RunResult {
    const batch = this.#withKnownIndexes(all);
    const results = this.#sendCreations(batch);
    const at = results.findIndex((failure) => failure !== undefined);
    if (at < 0) return { done: batch.length };
    const failure = results[at];
    const op = batch[at];
    if (failure === undefined || op === undefined) throw new Error('a result without its op');
    if (!this.#isIndexTaken(op, failure)) return { done: at, failure: failureFrom(failure, op) };
    // What came after may have been plugged into the wrong device, so all that failed is made again, one by one.
    this.#places.stopChoosing();
    for (let i = at; i < batch.length; i++) {
      const again = batch[i];
      if (again === undefined || results[i] === undefined) continue;
      const refused = this.#createAgain(again);
      if (refused !== undefined) return { done: i, failure: failureFrom(refused, again) };
    }
    return { done: batch.length };
  }

  /**
   * One device by itself. Before Linux 6.15 its name must be free also where the message is sent (__rtnl_newlink() looked it up
   * there), so one that is born elsewhere, on a parent of the same name, gets its own name there.
   */
  #createAgain(op: CreateLink): RtnlFailure | undefined {
    const { place, link } = op;
    const from = bornFrom(op);
    const isFree = getLink(this.#places.route(from), { ifname: link.ifname }) === undefined;
    if (from === place || isFree) return this.#sendCreations([op])[0];
    const [refused] = this.#sendCreations([{ ...op, link: { ...link, ifname: PASSING_NAME } }]);
    if (refused !== undefined) return refused;
    const ifindex = this.#lookup.index(place, PASSING_NAME);
    this.#places.forget(place, PASSING_NAME);
    return this.#places.route(place).batch([setLink({ ifindex }, { ifname: link.ifname })])[0];
  }

  /** The ops before the first that stands on a device of this very batch whose index the kernel chooses. */
  #withKnownIndexes(batch: readonly CreateLink[]): readonly CreateLink[] {
    const unknown = new Set<string>();
    const key = (place: Place, ifname: IfName): string => `${place ?? ''}/${ifname}`;
    for (const [i, { place, link }] of batch.entries()) {
      const parent = parentOf(link);
      const standsOnUnknown =
        (link.master !== undefined && unknown.has(key(place, link.master))) ||
        (parent !== undefined && unknown.has(key(parent.place, parent.ifname)));
      if (standsOnUnknown) return batch.slice(0, i);
      if (!this.#places.choosesIndexes(place)) unknown.add(key(place, link.ifname));
    }
    return batch;
  }

  /** True when the name is free and only the index that was asked for is not. */
  #isIndexTaken({ place, link }: CreateLink, failure: RtnlFailure): boolean {
    if (failure.code !== 'EEXIST' && failure.code !== 'EBUSY') return false;
    const exists = (where: Place, ifname: IfName) =>
      getLink(this.#places.route(where), { ifname }) !== undefined;
    return (
      !exists(place, link.ifname) && !(link.type === 'veth' && exists(link.peer.place, link.peer.ifname))
    );
  }

  /** Sends the creations as one datagram from the place they are born from. */
  #sendCreations(batch: readonly CreateLink[]): (RtnlFailure | undefined)[] {
    const [first] = batch;
    if (first === undefined) return [];
    const from = bornFrom(first);
    const opened: number[] = [];
    try {
      const requests = batch.map((op) => this.#creation(op, from, opened));
      const results = this.#places.route(from).batch(requests);
      this.#learnPeers(batch, results);
      this.#addAltnames(batch, results);
      return results;
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }

  /** Far ends in a node that the kernel numbered itself, so that no index is asked for which they have. */
  #learnPeers(batch: readonly CreateLink[], results: readonly (RtnlFailure | undefined)[]): void {
    for (const [i, { link }] of batch.entries()) {
      if (link.type !== 'veth' || link.peer.place === null || results[i] !== undefined) continue;
      const { place, ifname } = link.peer;
      if (!this.#places.knows(place, ifname)) this.#places.learn(place, ifname);
    }
  }

  /** IFLA_ALT_IFNAME is no part of a creating message. */
  #addAltnames(batch: readonly CreateLink[], results: (RtnlFailure | undefined)[]): void {
    for (const [i, { place, link }] of batch.entries()) {
      if (link.altname === undefined || results[i] !== undefined) continue;
      [results[i]] = this.#places.route(place).batch([addAltnames({ ifname: link.ifname }, [link.altname])]);
    }
  }

  #creation(op: CreateLink, from: Place, opened: number[]): Request {
    const { place, link } = op;
    const far = link.type === 'veth' ? link.peer.place : place;
    let fd: number | undefined;
    if (far !== from) {
      fd = far === null ? this.#places.home : openSync(this.#places.pin(far), 'r');
      if (far !== null) opened.push(fd);
    }
    const ifindex = this.#places.chooseIndex(place);
    // veth_newlink() heeds the index of the peer only where the near end has asked for one too.
    const peerIndex =
      link.type === 'veth' && ifindex !== undefined
        ? this.#places.chooseIndex(link.peer.place, ifindex)
        : undefined;
    const request = createLinkRequest(op, { ifindex, peerIndex, fd }, this.#lookup);
    if (ifindex !== undefined) this.#places.remember(place, link.ifname, ifindex);
    if (link.type === 'veth' && peerIndex !== undefined) {
      this.#places.remember(link.peer.place, link.peer.ifname, peerIndex);
    }
    return request;
  }

  #createTun({ place, link }: CreateLink): void {
    if (link.type !== 'tun' && link.type !== 'tap') throw new Error('not a tun device');
    this.#places.enter(place);
    createTun({
      mode: link.type,
      ifname: link.ifname,
      ...(link.uid === undefined ? {} : { uid: link.uid }),
      ...(link.gid === undefined ? {} : { gid: link.gid }),
    });
    this.#places.learn(place, link.ifname);
    if (link.group !== undefined) {
      const ifindex = this.#lookup.index(place, link.ifname);
      this.#places.route(place).request(setLink({ ifindex }, { group: link.group }));
    }
  }

  #moveLink({ device, place, ifname }: Extract<Op, { kind: 'moveLink' }>): void {
    if (place === null) throw new Error('a NIC of the host is in the host already');
    const ifindex = this.#lookup.index(null, device);
    const move = (netnsFd: number) =>
      this.#places.route(null).request(setLink({ ifindex }, { netnsFd, ifname }));
    withNetnsFd(this.#places.pin(place), move);
    this.#places.forget(null, device);
    this.#places.learn(place, ifname);
  }

  #setWireguard(op: Extract<Op, { kind: 'setWireguard' }>): void {
    const ifindex = this.#lookup.index(op.place, op.ifname);
    this.#places.enter(op.place);
    using generic = Transport.open(NETLINK_GENERIC);
    const family = findWireguard(generic);
    if (family === undefined) throw new NoDevice(op.ifname);
    for (const request of setWireguard(family, wireguardConfig(op, ifindex))) generic.request(request);
  }

  #addTable({ place, table, replace }: Extract<Op, { kind: 'addTable' }>): void {
    this.#places.enter(place);
    using transport = Transport.open(NETLINK_NETFILTER);
    applyTable(transport, table, { onExisting: replace === true ? 'replace' : 'refuse' });
  }

  #runCommand({ node, argv }: Extract<Op, { kind: 'runCommand' }>): OpFailure | undefined {
    this.#places.leave();
    const [command, ...args] = helperExec(this.#lab(), node, argv);
    const { status, signal, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2] });
    if (error !== undefined) return { code: codeOf(error), message: error.message };
    if (status === 0) return undefined;
    const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
    return { code: 'COMMAND', message: `the command ${how}` };
  }

  #configure(batch: readonly ConfigOp[]): RunResult {
    const [first] = batch;
    if (first === undefined) return { done: 0 };
    const requests = [];
    let stop: unknown;
    for (const op of batch) {
      try {
        requests.push(configRequest(this.#hasIpv6 ? op : withoutIpv6(op), this.#lookup));
      } catch (error) {
        stop = error;
        break;
      }
    }
    const results = this.#places.route(first.place).batch(requests);
    const at = results.findIndex((failure) => failure !== undefined);
    const refused = at < 0 ? undefined : results[at];
    const op = batch[at < 0 ? requests.length : at];
    if (refused !== undefined && op !== undefined) return { done: at, failure: failureFrom(refused, op) };
    if (stop !== undefined && op !== undefined)
      return { done: requests.length, failure: failureOfThrown(stop, op) };
    return { done: batch.length };
  }

  undo(op: UndoOp): UndoResult {
    try {
      return undoOnHost(op, this.#places);
    } catch (error) {
      return { failure: failureOfThrown(error), notes: [] };
    } finally {
      this.#places.leave();
    }
  }

  observe(): Observed {
    return observeHost(this.#places.route(null));
  }

  readSysctl(key: string): string | undefined {
    this.#places.leave();
    return readSysctl(key);
  }

  readLinkState(ifname: IfName): LinkState | undefined {
    return readLinkState(this.#places.route(null), ifname);
  }

  refusePort(port: Parameters<Kernel['refusePort']>[0]): PortRefusal | undefined {
    this.#places.leave();
    const code = refusedPort(port);
    if (code === undefined) return undefined;
    const holder = code === 'EADDRINUSE' ? portHolder(port) : undefined;
    return holder === undefined ? { code } : { code, holder };
  }

  readDevices(place: Place): readonly DeviceView[] | undefined {
    if (place !== null && !isNetns(this.#places.pin(place))) return undefined;
    try {
      return readDevices(this.#places.route(place));
    } finally {
      this.#places.leave();
    }
  }

  readQdiscs(place: Place): ReadonlyMap<string, QdiscView> {
    try {
      return readQdiscs(this.#places.route(place));
    } finally {
      this.#places.leave();
    }
  }

  takeDown(place: Place, ifname: IfName): LinkConfig {
    const route = this.#places.route(place);
    try {
      const ifindex = this.#lookup.index(place, ifname);
      const config = readLinkConfig(route, ifindex);
      route.request(setLink({ ifindex }, { up: false }));
      return config;
    } finally {
      this.#places.leave();
    }
  }

  bringUp(place: Place, ifname: IfName, config: LinkConfig): void {
    try {
      restoreUp(this.#places.route(place), this.#lookup.index(place, ifname), config);
    } finally {
      this.#places.leave();
    }
  }

  readContainer(node: NodeName): ContainerState | undefined {
    return readState(containerDir(this.#lab(), node));
  }

  livingNetns(lab: LabName, names: readonly NetnsName[]): readonly NetnsName[] {
    return names.filter((name) => isNetns(pinOf(lab, name)));
  }

  watchNetns(names: readonly NetnsName[]): NetnsWatch {
    return new NetnsWatcher(this.#places, names);
  }

  close(): void {
    this.#places.leave();
    this.#places.close();
  }
}
