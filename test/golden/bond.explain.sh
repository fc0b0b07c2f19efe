#!/bin/bash
# Lab bond: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add sw
ip netns add pc
ip netns add server

# sw: settings that new devices take over.
# Ports of a switch need no IPv6: 1 is none, no link-local address.
ip netns exec sw sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# sw: its devices.
# A bridge is a switch; what has it as master is a port.
ip -n sw link add name br0 up type bridge

# server: its devices.
ip -n server link add name bond0 type bond mode active-backup miimon 100

# sw: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n sw link add name p1 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns pc numtxqueues 1 numrxqueues 1
ip -n sw link add name p2 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns server numtxqueues 1 numrxqueues 1
ip -n sw link add name p3 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth1 netns server numtxqueues 1 numrxqueues 1

# sw: p1 is the other end of eth0 in pc, p2 is the other end of eth0 in server, p3 is the other end of eth1 in server.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n sw link set dev lo up

# pc: eth0 is the other end of p1 in sw.
ip -n pc link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n pc link set dev eth0 addrgenmode none
ip -n pc link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n pc addr add 10.1.1.1/24 dev eth0

# server: eth0 is the other end of p2 in sw, eth1 is the other end of p3 in sw.
ip -n server link set dev lo up
ip -n server link set dev bond0 addrgenmode none
ip -n server link set dev bond0 up
# An interface with a master is a port of it.
ip -n server link set dev eth0 master bond0
ip -n server link set dev eth0 up
ip -n server link set dev eth1 master bond0
ip -n server link set dev eth1 up
ip -n server addr add 10.1.1.2/24 dev bond0

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/sw
cat > /etc/netns/sw/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 pc pc.bond
10.1.1.2 server server.bond
EOF
ln -sT sw /etc/netns/pc
ln -sT sw /etc/netns/server
