// Which interfaces hear each other at layer 2: wires, bridges, bonds, VLANs, macvlan and ipvlan, and vxlan tunnels whose ends
// name each other. A bridge with vlan_filtering keeps its VLANs apart. Joining too much would make false alarms, so what
// cannot be known from the file (the machine's own network, a NIC) joins nothing and marks its segment as open.

import { addressOf } from '../../base/ip.ts';
import type { Interface } from '../../model/interface.ts';
import type { Node, Place } from '../../model/lab.ts';
import type { LabView } from './lab-view.ts';

export type Member = { readonly node: Node; readonly iface: Interface };

export type Segment = {
  readonly members: readonly Member[];
  /** Something outside the file hears it too, so absent addresses prove nothing. */
  readonly open: boolean;
};

/** Frames of one VLAN (0: untagged) at one interface. */
type Spot = Member & { readonly vlan: number };

export function findSegments(view: LabView): Segment[] {
  const joiner = new Joiner(view);
  for (const node of view.lab.nodes) for (const iface of node.interfaces) joiner.add({ node, iface });
  joiner.joinTunnels();
  return joiner.segments();
}

class Joiner {
  private readonly view: LabView;
  private readonly vlans: readonly number[];
  private readonly ids = new Map<Interface, number>();
  private readonly members: Member[] = [];
  private readonly parents: number[] = [];
  private readonly nodes = new Map<Place, Node>();

  constructor(view: LabView) {
    this.view = view;
    this.vlans = vlansInUse(view);
    for (const node of view.lab.nodes) this.nodes.set(node.place, node);
  }

  add(member: Member): void {
    const { node, iface } = member;
    const master = iface.master === undefined ? undefined : this.view.find(node.place, iface.master);
    if (master !== undefined) this.joinMaster(member, { node, iface: master });
    if (iface.type === 'veth') this.joinAll(member, this.memberAt(iface.peer));
    if (iface.type === 'macvlan' || iface.type === 'ipvlan') this.joinAll(member, this.memberAt(iface.link));
    if (iface.type === 'vlan') {
      const parent = this.memberAt(iface.link);
      if (parent !== undefined) this.join({ ...member, vlan: 0 }, { ...parent, vlan: iface.id });
    }
    this.idOf(node, iface);
  }

  private memberAt(end: { readonly place: Place; readonly ifname: string }): Member | undefined {
    const node = this.nodes.get(end.place);
    const iface = this.view.find(end.place, end.ifname);
    return node === undefined || iface === undefined ? undefined : { node, iface };
  }

  private joinMaster(port: Member, master: Member): void {
    if (master.iface.type === 'bond') this.joinAll(port, master);
    if (master.iface.type !== 'bridge') return;
    if (master.iface.vlan_filtering !== true) this.joinAll(port, master);
    else this.joinFiltered(port, master, master.iface.vlan_default_pvid ?? 1);
  }

  /** Inside such a bridge a frame has a VLAN always; the bridge's own interface is a port of the default one. */
  private joinFiltered(port: Member, bridge: Member, defaultPvid: number): void {
    const pvid = port.iface.port?.vlan ?? defaultPvid;
    const inside = (vlan: number): Spot => ({ ...bridge, vlan: vlan === defaultPvid ? 0 : vlan });
    if (pvid !== 0) this.join({ ...port, vlan: 0 }, inside(pvid));
    for (const { from, to } of port.iface.port?.vlans ?? []) {
      for (const vlan of this.vlans) {
        if (vlan >= from && vlan <= to && vlan !== pvid) this.join({ ...port, vlan }, inside(vlan));
      }
    }
  }

  private joinAll(a: Member, b: Member | undefined): void {
    if (b === undefined) return;
    const [x, y] = [this.idOf(a.node, a.iface), this.idOf(b.node, b.iface)];
    for (let i = 0; i < this.vlans.length; i++)
      this.unite(x * this.vlans.length + i, y * this.vlans.length + i);
  }

  /** Two vxlan ends of one network are joined when one sends to an address of the other, or both to the same group. */
  joinTunnels(): void {
    const byId = new Map<string, Member[]>();
    for (const { node, iface } of this.members) {
      if (iface.type !== 'vxlan') continue;
      const id = `${iface.id} ${iface.dstport}`;
      byId.set(id, [...(byId.get(id) ?? []), { node, iface }]);
    }
    for (const ends of byId.values()) {
      const groups = new Map<string, Member>();
      for (const end of ends) {
        if (end.iface.type !== 'vxlan') continue;
        const { remote, remotes } = end.iface;
        for (const target of remote === undefined ? remotes : [remote, ...remotes]) {
          const first = groups.get(target);
          if (first !== undefined) this.joinAll(end, first);
          else if (isGroup(target)) groups.set(target, end);
          for (const far of ends) if (this.hasAddress(far, target)) this.joinAll(end, far);
        }
      }
    }
  }

  private hasAddress(member: Member, address: string): boolean {
    return member.node.interfaces.some((iface) =>
      iface.addresses.some(({ ip }) => addressOf(ip) === address),
    );
  }

  private spot({ node, iface, vlan }: Spot): number {
    const id = this.idOf(node, iface);
    return id * this.vlans.length + (vlan === 0 ? 0 : Math.max(0, this.vlans.indexOf(vlan)));
  }

  private idOf(node: Node, iface: Interface): number {
    const known = this.ids.get(iface);
    if (known !== undefined) return known;
    const id = this.members.length;
    this.ids.set(iface, id);
    this.members.push({ node, iface });
    for (let i = 0; i < this.vlans.length; i++) this.parents.push(this.parents.length);
    return id;
  }

  private root(index: number): number {
    let at = index;
    for (;;) {
      const parent = this.parents[at] ?? at;
      if (parent === at) return at;
      const grand = this.parents[parent] ?? parent;
      this.parents[at] = grand;
      at = grand;
    }
  }

  private join(a: Spot, b: Spot): void {
    this.unite(this.spot(a), this.spot(b));
  }

  private unite(a: number, b: number): void {
    const [x, y] = [this.root(a), this.root(b)];
    if (x !== y) this.parents[Math.max(x, y)] = Math.min(x, y);
  }

  segments(): Segment[] {
    const groups = new Map<number, Member[]>();
    const open = new Set<number>();
    for (const [id, member] of this.members.entries()) {
      const first = id * this.vlans.length;
      const root = this.root(first);
      const group = groups.get(root);
      if (group === undefined) groups.set(root, [member]);
      else group.push(member);
      if (!this.leadsOutside(member)) continue;
      for (let i = 0; i < this.vlans.length; i++) open.add(this.root(first + i));
    }
    return [...groups].map(([root, members]) => ({ members, open: open.has(root) }));
  }

  private leadsOutside({ node, iface }: Member): boolean {
    switch (iface.type) {
      case 'physical':
      case 'tap':
      case 'vxlan':
      case 'gretap':
        return true;
      case 'macvlan':
      case 'ipvlan':
      case 'vlan':
        return this.memberAt(iface.link) === undefined;
      default:
        // An end on the machine may be plugged into a bridge of the machine's own.
        return (
          node.place === null &&
          iface.master !== undefined &&
          this.view.find(null, iface.master) === undefined
        );
    }
  }
}

function isGroup(address: string): boolean {
  return address.startsWith('ff') || /^(22[4-9]|23[0-9])\./.test(address);
}

/** 0 and the VLANs that some interface or port takes frames out of. */
function vlansInUse(view: LabView): number[] {
  const vlans = new Set([0]);
  for (const node of view.lab.nodes) {
    for (const iface of node.interfaces) {
      if (iface.type === 'vlan') vlans.add(iface.id);
      if (iface.port?.vlan !== undefined) vlans.add(iface.port.vlan);
    }
  }
  return [...vlans];
}
