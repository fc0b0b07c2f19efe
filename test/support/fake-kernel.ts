// The Kernel port in memory: ops and undo ops on a machine that is plain data. It stands for the kernel in property tests, and
// the kernel suite holds it against the kernel itself. Like the real port it goes on with a batch after a refusal.

import { type IpInterface, type IpPrefix, ipFamily, subnetOf } from '../../src/base/ip.ts';
import type { IfName, LabName, NetnsName, NodeName } from '../../src/base/names.ts';
import { assertNever } from '../../src/base/result.ts';
import { missingCondition } from '../../src/kernel/container-await.ts';
import type {
  ContainerState,
  DeviceView,
  Kernel,
  LinkConfig,
  NetnsEnd,
  NetnsWatch,
  Observed,
  PortRefusal,
  QdiscView,
  RunResult,
  UndoResult,
} from '../../src/kernel/port.ts';
import type { Place } from '../../src/model/lab.ts';
import type { Neighbour, Nexthop, Route } from '../../src/model/route.ts';
import { sysctlDevice } from '../../src/plan/desired.ts';
import type { LinkState, Op, UndoOp } from '../../src/plan/op.ts';
import {
  addLoopback,
  checkParent,
  type Device,
  defaultMode,
  deviceSnapshot,
  enslave,
  forget,
  hasAddress,
  IPV6_MIN_MTU,
  newDevice,
  onLink,
  Refused,
  raise,
  release,
  type Snapshot,
  Space,
  type SpaceSnapshot,
  setMtu,
} from './fake-machine.ts';

type Of<K extends Op['kind']> = Extract<Op, { readonly kind: K }>;
type Wire = Extract<Of<'createLink'>['link'], { readonly type: 'veth' }>;

/** Ops that the real port sends together: after a refusal, the later ones of the batch are carried out all the same. */
function sameBatch(a: Op, b: Op): boolean {
  const kind = ({ kind }: Op): string =>
    kind === 'createLink' ? 'create' : kind.startsWith('add') || kind.startsWith('set') ? 'config' : '';
  return 'place' in a && 'place' in b && a.place === b.place && kind(a) !== '' && kind(a) === kind(b);
}

export class FakeKernel implements Kernel {
  readonly #spaces = new Map<Place, Space>();
  readonly #views = new Map<string, Readonly<Record<string, string>>>();
  readonly #etc = new Map<NetnsName, string>();
  readonly commands: { readonly place: Place; readonly argv: readonly string[] }[] = [];
  /** Containers that were started and not ended, with the namespace that each is in. */
  readonly containers = new Map<NodeName, { readonly place: Place; state: ContainerState }>();
  /** Refuses the op when it says so, as a kernel that lacks a feature would. */
  refuse: (op: Op) => boolean = () => false;

  constructor() {
    const host = new Space(null);
    this.#spaces.set(null, host);
    addLoopback(host).up = true;
  }

  openLab(_lab: LabName): void {}
  close(): void {}

  /** A NIC of the machine, for labs that move one in. */
  addNic(ifname: string, addresses: readonly IpInterface[]): void {
    const nic = newDevice(this.#space(null), { ifname: ifname as IfName, up: true }, 'nic');
    nic.mac = '02:00:5e:00:00:01';
    for (const ip of addresses) nic.addresses.push({ ip, text: JSON.stringify({ ip, nodad: false }) });
  }

  setHostSysctl(key: string, value: string): void {
    this.#space(null).sysctls.set(key, value);
  }

  run(ops: readonly Op[]): RunResult {
    for (const [done, op] of ops.entries()) {
      try {
        this.#do(op);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.#finishBatch(ops.slice(done));
        return { done, failure: { code: error.code, message: error.message } };
      }
    }
    return { done: ops.length };
  }

  #finishBatch([failed, ...rest]: readonly Op[]): void {
    for (const op of rest) {
      if (failed === undefined || !sameBatch(failed, op)) return;
      try {
        this.#do(op);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
      }
    }
  }

  #do(op: Op): void {
    if (this.refuse(op)) throw new Refused('EOPNOTSUPP', 'refused by the test');
    switch (op.kind) {
      case 'createNetns':
        this.#createNetns(op.netns);
        break;
      case 'createLink':
        this.#createLink(op);
        break;
      case 'moveLink':
        this.#moveLink(op);
        break;
      case 'setLink':
        this.#setLink(op);
        break;
      case 'setPort':
        this.#setPort(op);
        break;
      case 'addVlan':
        this.#addVlan(op);
        break;
      case 'delVlan':
        if (!this.#device(op).vlans.delete(op.vid)) throw new Refused('ENOENT', `no vlan ${op.vid}`);
        break;
      case 'addAddress':
        this.#addAddress(op);
        break;
      case 'addRoute':
        this.#addRoute(op);
        break;
      case 'addRule':
        this.#addRule(op);
        break;
      case 'addNeighbour':
        this.#addNeighbour(op);
        break;
      case 'addFdb': {
        const device = this.#device(op);
        if (device.type !== 'vxlan') throw new Refused('EOPNOTSUPP', `${op.ifname} is no vxlan`);
        device.fdb.push(op.dst);
        break;
      }
      case 'setWireguard': {
        const device = this.#device(op);
        if (device.type !== 'wireguard') throw new Refused('EOPNOTSUPP', `${op.ifname} is no wireguard`);
        device.wireguard = JSON.stringify([op.private_key, op.listen_port, op.fwmark, op.peers]);
        break;
      }
      case 'setQdisc': {
        const device = this.#device(op);
        if (op.qdisc === null && device.qdisc === undefined) throw new Refused('ENOENT', 'no root qdisc');
        device.qdisc = op.qdisc ?? undefined;
        break;
      }
      case 'setSysctl':
        this.#setSysctl(op);
        break;
      case 'addTable': {
        const { tables } = this.#space(op.place);
        const key = `${op.table.family} ${op.table.name}`;
        if (tables.has(key)) throw new Refused('EEXIST', `table ${key}`);
        tables.set(key, op.table);
        break;
      }
      case 'writeEtc':
        this.#views.set(op.view, op.files);
        break;
      case 'linkEtc':
        if (!this.#views.has(op.view)) throw new Refused('ENOENT', `no view ${op.view}`);
        if (this.#etc.has(op.netns)) throw new Refused('EEXIST', `/etc/netns/${op.netns}`);
        this.#etc.set(op.netns, op.view);
        break;
      case 'startContainer':
        this.#startContainer(op);
        break;
      case 'awaitContainer': {
        const missing = missingCondition(op.node, op.condition, this.readContainer(op.node));
        if (missing !== undefined) throw new Refused(missing.code, missing.message);
        break;
      }
      case 'runCommand':
        this.commands.push({ place: this.#space(op.place).place, argv: op.argv });
        break;
      default:
        assertNever(op);
    }
  }

  #startContainer({ node, place, view, hold }: Of<'startContainer'>): void {
    this.#space(place);
    if (this.containers.has(node)) throw new Refused('EEXIST', `container ${node}`);
    if (view !== undefined && !this.#views.has(view)) throw new Refused('ENOENT', `no view ${view}`);
    const state: ContainerState = {
      status: hold === true ? 'created' : 'running',
      pid: 2,
      start: 1,
      monitor: 1,
      monitorStart: 1,
      monitored: true,
      created: '2026-01-01T00:00:00.000000000Z',
      ...(hold === true ? {} : { started: '2026-01-01T00:00:00.000000000Z' }),
      exit: null,
      signal: 0,
      oom: false,
      restarts: 0,
    };
    this.containers.set(node, { place, state });
  }

  /** What its monitor would write next. */
  setContainer(node: NodeName, change: Partial<ContainerState>): void {
    const entry = this.containers.get(node);
    if (entry === undefined) throw new Error(`no container ${node}`);
    entry.state = { ...entry.state, ...change };
  }

  readContainer(node: NodeName): ContainerState | undefined {
    return this.containers.get(node)?.state;
  }

  #space(place: Place): Space {
    const space = this.#spaces.get(place);
    if (space === undefined) throw new Refused('ENOENT', `no namespace ${place}`);
    return space;
  }

  #device({ place, ifname }: { readonly place: Place; readonly ifname: string }): Device {
    const device = this.#space(place).devices.get(ifname);
    if (device === undefined) throw new Refused('ENODEV', `no device ${ifname} in ${place ?? 'the host'}`);
    return device;
  }

  #createNetns(netns: NetnsName): void {
    if (this.#spaces.has(netns)) throw new Refused('EEXIST', netns);
    const space = new Space(netns);
    this.#spaces.set(netns, space);
    addLoopback(space);
  }

  #createLink({ place, link }: Of<'createLink'>): void {
    const space = this.#space(place);
    if (space.devices.has(link.ifname)) throw new Refused('EEXIST', link.ifname);
    const { type } = link;
    const linkRef = 'link' in link ? link.link : undefined;
    const parent = linkRef === undefined ? undefined : this.#device(linkRef);
    const { ifname, altname, mac, mtu, master, up, group, ...data } = link;
    if (link.type === 'veth') this.#createWire(space, link);
    else {
      checkParent(type, parent, link);
      newDevice(
        space,
        link,
        type,
        { ...data, link: linkRef && `${linkRef.place} ${linkRef.ifname}` },
        parent,
      );
    }
    const device = this.#device({ place, ifname: link.ifname });
    try {
      // net/core/rtnetlink.c: rtnl_configure_link() brings it up before do_set_master().
      if (link.up === true) raise(device);
      if (link.master !== undefined) enslave(device, this.#device({ place, ifname: link.master }));
      if (link.altname !== undefined) this.#addAltname(device, link.altname);
    } catch (error) {
      this.#deleteDevice(device);
      throw error;
    }
  }

  #createWire(space: Space, link: Wire): void {
    const { peer } = link;
    const far = this.#space(peer.place);
    if (far.devices.has(peer.ifname)) throw new Refused('EEXIST', peer.ifname);
    if (peer.up === true) throw new Refused('ENOTCONN', 'the peer cannot be born up');
    if (peer.master !== undefined) throw new Error('the peer part of the message has no master');
    if (far === space && peer.ifname === link.ifname) throw new Refused('EEXIST', peer.ifname);
    const near = newDevice(space, link, 'veth');
    near.peer = newDevice(far, peer, 'veth');
    near.peer.peer = near;
  }

  #addAltname(device: Device, altname: string): void {
    for (const other of device.space.devices.values()) {
      if (other.ifname === altname || other.altnames.includes(altname)) throw new Refused('EEXIST', altname);
    }
    device.altnames.push(altname);
  }

  #moveLink({ device, place, ifname }: Of<'moveLink'>): void {
    const nic = this.#device({ place: null, ifname: device });
    const to = this.#space(place);
    if (to.devices.has(ifname)) throw new Refused('EEXIST', ifname);
    // dev_change_net_namespace() closes it; addresses, routes and master stay behind.
    nic.space.devices.delete(nic.ifname);
    forget(nic);
    release(nic);
    Object.assign(nic, { space: to, ifname, up: false, addrgenmode: defaultMode(to) });
    nic.addresses.length = 0;
    to.devices.set(ifname, nic);
  }

  #setLink(op: Of<'setLink'>): void {
    const device = this.#device(op);
    // do_setlink(): MAC and MTU, master, flags, and IFLA_AF_SPEC last.
    if (op.altname !== undefined) this.#addAltname(device, op.altname);
    if (op.mac !== undefined) device.mac = op.mac;
    if (op.mtu !== undefined) setMtu(device, op.mtu);
    if (op.master === null) release(device);
    else if (op.master !== undefined) enslave(device, this.#device({ place: op.place, ifname: op.master }));
    if (op.up === true) raise(device);
    if (op.addrgenmode !== undefined) {
      if (device.mtu < IPV6_MIN_MTU) throw new Refused('EAFNOSUPPORT', `${op.ifname} has no IPv6`);
      if (device.up) throw new Error(`${op.ifname} is up already: its link-local address is made`);
      device.addrgenmode = op.addrgenmode;
    }
  }

  #setPort({ kind, place, ifname, ...settings }: Of<'setPort'>): void {
    const device = this.#device({ place, ifname });
    if (device.master?.type !== 'bridge') throw new Refused('EOPNOTSUPP', `${ifname} is no port of a bridge`);
    Object.assign(device.port, settings);
  }

  #addVlan(op: Of<'addVlan'>): void {
    const device = this.#device(op);
    if (device.master?.type !== 'bridge')
      throw new Refused('EOPNOTSUPP', `${op.ifname} is no port of a bridge`);
    if (op.pvid) for (const vid of device.vlans.keys()) device.vlans.set(vid, false);
    for (let vid = op.from; vid <= op.to; vid++) device.vlans.set(vid, op.pvid);
  }

  #addAddress(op: Of<'addAddress'>): void {
    const device = this.#device(op);
    const { ip, peer } = op.address;
    if (ipFamily(ip) === 6 && device.mtu < IPV6_MIN_MTU)
      throw new Refused('EINVAL', `${op.ifname} has no IPv6`);
    if (device.addresses.some((a) => a.ip === ip && a.peer === peer)) throw new Refused('EEXIST', ip);
    device.addresses.push({ ip, ...(peer && { peer }), text: JSON.stringify(op.address) });
  }

  #addRoute({ place, route }: Of<'addRoute'>): void {
    const space = this.#space(place);
    const same = (other: Omit<Route, 'path'>): boolean =>
      other.to === route.to &&
      (other.table ?? 254) === (route.table ?? 254) &&
      (other.metric ?? 0) === (route.metric ?? 0);
    if (space.routes.some((entry) => same(entry.route))) throw new Refused('EEXIST', route.to);
    if (route.src !== undefined && !hasAddress(space, route.src))
      throw new Refused('EINVAL', 'invalid source');
    if (!['unicast', 'local'].includes(route.type)) {
      space.routes.push({ route, devices: [] });
      return;
    }
    const hops: readonly Nexthop[] = route.nexthops ?? [route];
    space.routes.push({ route, devices: hops.map((hop) => this.#nexthop(space, hop)) });
  }

  /** fib_check_nh(): the device that leads to the gateway, which must be on a link. */
  #nexthop(space: Space, { via, dev, onlink }: Nexthop): Device {
    const named = dev === undefined ? undefined : this.#device({ place: space.place, ifname: dev });
    if (named !== undefined && !named.up) throw new Refused('ENETDOWN', `${dev} is down`);
    if (via === undefined) {
      if (named === undefined) throw new Refused('ENODEV', 'neither gateway nor device');
      return named;
    }
    if (onlink === true) {
      if (named === undefined) throw new Refused('EINVAL', 'onlink needs a device');
      return named;
    }
    const found = onLink(space, via).find((device) => named === undefined || device === named);
    if (found === undefined) {
      throw new Refused(ipFamily(via) === 6 ? 'EHOSTUNREACH' : 'ENETUNREACH', `${via} is on no link`);
    }
    return found;
  }

  #addRule({ place, rule }: Of<'addRule'>): void {
    const space = this.#space(place);
    if (space.rules.some((other) => JSON.stringify(other) === JSON.stringify(rule))) {
      throw new Refused('EEXIST', `rule ${rule.priority}`);
    }
    space.rules.push(rule);
  }

  #addNeighbour({ place, neighbour }: Of<'addNeighbour'>): void {
    const space = this.#space(place);
    const device = this.#device({ place, ifname: neighbour.dev });
    const same = (other: Omit<Neighbour, 'path'>): boolean =>
      other.ip === neighbour.ip && other.dev === neighbour.dev && other.proxy === neighbour.proxy;
    if (space.neighbours.some((entry) => same(entry.neighbour))) throw new Refused('EEXIST', neighbour.ip);
    space.neighbours.push({ neighbour, device });
  }

  #setSysctl({ place, key, value }: Of<'setSysctl'>): void {
    const space = this.#space(place);
    const device = sysctlDevice(key);
    if (device !== undefined && device !== 'all' && device !== 'default' && !space.devices.has(device)) {
      throw new Refused('ENOENT', `no setting ${key}`);
    }
    space.sysctls.set(key, value);
  }

  /** Removes a device and what dies with it: its peer, what stands on it, what names it. */
  #deleteDevice(device: Device): void {
    if (device.space.devices.get(device.ifname) !== device) return;
    device.space.devices.delete(device.ifname);
    forget(device);
    if (device.peer !== undefined) this.#deleteDevice(device.peer);
    for (const space of this.#spaces.values()) {
      for (const other of [...space.devices.values()]) {
        if (other.master === device) release(other);
        // A vxlan is deleted with its lower device only when it is bound to it, as all here are.
        if (other.parent === device) this.#deleteDevice(other);
      }
    }
  }

  undo(op: UndoOp): UndoResult {
    switch (op.kind) {
      case 'stopContainers':
        for (const node of op.nodes) this.containers.delete(node);
        break;
      case 'stopProcesses':
        break;
      case 'returnLink':
        this.#returnLink(op);
        break;
      case 'deleteLinks':
        for (const ifname of op.ifnames) {
          const device = this.#space(null).devices.get(ifname);
          if (device?.group === op.group) this.#deleteDevice(device);
        }
        break;
      case 'deleteTable':
        this.#space(null).tables.delete(`${op.family} ${op.name}`);
        break;
      case 'deleteRoute': {
        const host = this.#space(null);
        host.routes = host.routes.filter((entry) => JSON.stringify(entry.route) !== JSON.stringify(op.route));
        break;
      }
      case 'deleteRule': {
        const host = this.#space(null);
        host.rules = host.rules.filter((rule) => JSON.stringify(rule) !== JSON.stringify(op.rule));
        break;
      }
      case 'deleteNeighbour': {
        const host = this.#space(null);
        host.neighbours = host.neighbours.filter(
          ({ neighbour: { ip, dev } }) => ip !== op.neighbour.ip || dev !== op.neighbour.dev,
        );
        break;
      }
      case 'restoreSysctl':
        if (this.readSysctl(op.key) === op.value) this.#space(null).sysctls.set(op.key, op.was);
        break;
      case 'unlinkEtc':
        for (const netns of op.netns) this.#etc.delete(netns);
        this.#views.clear();
        break;
      case 'deleteNetns':
        for (const netns of op.netns) this.#deleteNetns(netns);
        break;
      default:
        return assertNever(op);
    }
    return { notes: [] };
  }

  #returnLink({ place, ifname, state }: Extract<UndoOp, { readonly kind: 'returnLink' }>): void {
    const nic = this.#spaces.get(place)?.devices.get(ifname);
    if (nic === undefined || nic.type !== 'nic') return;
    forget(nic);
    release(nic);
    nic.space.devices.delete(ifname);
    const host = this.#space(null);
    Object.assign(nic, {
      space: host,
      ifname: state.ifname,
      mac: state.mac,
      mtu: state.mtu,
      up: state.up,
      addrgenmode: 'eui64',
    });
    nic.altnames.length = 0;
    nic.addresses.splice(
      0,
      nic.addresses.length,
      ...state.addresses.map(({ ip }) => ({ ip, text: JSON.stringify({ ip, nodad: false }) })),
    );
    host.devices.set(state.ifname, nic);
  }

  #deleteNetns(netns: NetnsName): void {
    const space = this.#spaces.get(netns);
    if (space === undefined) return;
    for (const [node, { place }] of this.containers) {
      if (place === netns) throw new Error(`container ${node} still runs in ${netns}`);
    }
    this.#spaces.delete(netns);
    for (const device of [...space.devices.values()]) {
      // default_device_exit_net(): a NIC goes back to the first namespace, and under the name it has here.
      if (device.type === 'nic') throw new Error(`${device.ifname} was left in ${netns}`);
      this.#deleteDevice(device);
    }
  }

  observe(): Observed {
    const host = this.#space(null);
    return {
      netns: [...this.#spaces.keys()].filter((place) => place !== null),
      links: [...host.devices.values()].map(({ ifname, group, addresses }) => ({
        ifname: ifname as IfName,
        group,
        addresses: addresses.map(({ ip }) => ip),
      })),
      routes: [...host.devices.values()].flatMap(({ ifname, addresses }) =>
        addresses.map(({ ip }) => ({ to: subnetOf(ip) as IpPrefix, dev: ifname })),
      ),
      tables: [...host.tables.keys()],
    };
  }

  readSysctl(key: string): string | undefined {
    const host = this.#space(null);
    const device = sysctlDevice(key);
    const exists =
      device === undefined || device === 'all' || device === 'default' || host.devices.has(device);
    return exists ? (host.sysctls.get(key) ?? '0') : undefined;
  }

  readLinkState(ifname: IfName): LinkState | undefined {
    const device = this.#space(null).devices.get(ifname);
    if (device === undefined) return undefined;
    const { mac, mtu, up, addresses } = device;
    return {
      ifname,
      mac: mac ?? '',
      mtu,
      up,
      addresses: addresses.map(({ ip }) => ({ ip, scope: 0 })),
      routes: [],
      sysctls: {},
    };
  }

  /** Ports that somebody has, as `tcp 8080`. */
  readonly takenPorts = new Map<string, PortRefusal>();

  refusePort({ proto, port }: Parameters<Kernel['refusePort']>[0]): PortRefusal | undefined {
    return this.takenPorts.get(`${proto} ${port}`);
  }

  livingNetns(_lab: LabName, names: readonly NetnsName[]): readonly NetnsName[] {
    return names.filter((name) => this.#spaces.has(name));
  }

  watchNetns(names: readonly NetnsName[]): NetnsWatch {
    const look = (): NetnsEnd => {
      const netns = names.filter((name) => this.#spaces.has(name));
      return netns.length > 0 ? { state: 'held', netns } : { state: 'gone' };
    };
    return { look, [Symbol.dispose]() {} };
  }

  readDevices(place: Place): readonly DeviceView[] | undefined {
    const space = this.#spaces.get(place);
    if (space === undefined) return undefined;
    return [...space.devices.values()].map((device) => ({
      ifname: device.ifname as IfName,
      altnames: device.altnames,
      type: device.type,
      up: device.up,
      running: device.up && (device.peer?.up ?? true),
      ...(device.mac !== undefined && { mac: device.mac }),
      mtu: device.mtu,
      ...(device.master !== undefined && { master: device.master.ifname }),
      addresses: device.addresses.map(({ ip }) => ip),
    }));
  }

  readQdiscs(place: Place): ReadonlyMap<string, QdiscView> {
    const devices = [...this.#space(place).devices.values()];
    return new Map(
      devices.flatMap(({ ifname, qdisc }): [string, QdiscView][] => {
        if (qdisc === undefined) return [];
        const { kind, ...rest } = qdisc;
        return [[ifname, { kind, impair: kind === 'tbf' ? { rate: rest.rate as number } : rest }]];
      }),
    );
  }

  /** Routes of the fake are not lost with their link. */
  takeDown(place: Place, ifname: IfName): LinkConfig {
    this.#device({ place, ifname }).up = false;
    return { addresses: [], routes: [] };
  }

  bringUp(place: Place, ifname: IfName): void {
    this.#device({ place, ifname }).up = true;
  }

  /** Everything there is, as plain data in a stable order. */
  snapshot(): Snapshot {
    const spaces: Record<string, SpaceSnapshot> = {};
    for (const [place, space] of this.#spaces) {
      spaces[place ?? 'host'] = {
        devices: Object.fromEntries([...space.devices.values()].map((d) => [d.ifname, deviceSnapshot(d)])),
        routes: space.routes.map(({ route }) => JSON.stringify(route)).sort(),
        rules: space.rules.map((rule) => JSON.stringify(rule)).sort(),
        neighbours: space.neighbours.map(({ neighbour }) => JSON.stringify(neighbour)).sort(),
        sysctls: Object.fromEntries([...space.sysctls].filter(([, value]) => value !== '0')),
        tables: [...space.tables.keys()].sort(),
        etc: place === null ? {} : (this.#views.get(this.#etc.get(place) ?? '') ?? {}),
      };
    }
    return spaces;
  }
}
