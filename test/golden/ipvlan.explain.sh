#!/bin/bash
# Lab ipvlan: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add sw
ip netns add pc
ip netns add machine
ip netns add app1
ip netns add app2

# sw: settings that new devices take over.
# Ports of a switch need no IPv6: 1 is none, no link-local address.
ip netns exec sw sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# sw: its devices.
# A bridge is a switch; what has it as master is a port.
ip -n sw link add name br0 up type bridge
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n sw link add name p1 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns pc numtxqueues 1 numrxqueues 1
ip -n sw link add name p2 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns machine numtxqueues 1 numrxqueues 1

# app1: its devices.
ip -n machine link add name nslab-new link eth0 netns app1 type ipvlan mode l2 bridge
ip -n app1 link set dev nslab-new name eth0

# app2: its devices.
ip -n machine link add name nslab-new link eth0 netns app2 type ipvlan mode l2 bridge
ip -n app2 link set dev nslab-new name eth0

# sw: p1 is the other end of eth0 in pc, p2 is the other end of eth0 in machine.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n sw link set dev lo up

# pc: eth0 is the other end of p1 in sw.
ip -n pc link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n pc link set dev eth0 addrgenmode none
ip -n pc link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n pc addr add 10.1.1.1/24 dev eth0

# machine: eth0 is the other end of p2 in sw.
ip -n machine link set dev lo up
ip -n machine link set dev eth0 addrgenmode none
ip -n machine link set dev eth0 up
ip -n machine addr add 10.1.1.10/24 dev eth0

# app1.
ip -n app1 link set dev lo up
ip -n app1 link set dev eth0 addrgenmode none
ip -n app1 link set dev eth0 up
ip -n app1 addr add 10.1.1.11/24 dev eth0

# app2.
ip -n app2 link set dev lo up
ip -n app2 link set dev eth0 addrgenmode none
ip -n app2 link set dev eth0 up
ip -n app2 addr add 10.1.1.12/24 dev eth0

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/sw
cat > /etc/netns/sw/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 pc pc.ipvlan
10.1.1.10 machine machine.ipvlan
10.1.1.11 app1 app1.ipvlan
10.1.1.12 app2 app2.ipvlan
EOF
ln -sT sw /etc/netns/pc
ln -sT sw /etc/netns/machine
ln -sT sw /etc/netns/app1
ln -sT sw /etc/netns/app2
