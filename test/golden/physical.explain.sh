#!/bin/bash
# Lab physical: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add box
ip netns add pc

# box: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec box sysctl -qw net.ipv4.ip_forward=1
ip netns exec box sysctl -qw net.ipv6.conf.all.forwarding=1

# box: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n box link add name uplink0 numtxqueues 1 numrxqueues 1 type veth peer name eth0 netns pc numtxqueues 1 numrxqueues 1
# A real network card can be in one namespace only; it leaves its addresses and routes behind.
ip link set dev eth1 netns box name lan0

# box: uplink0 is the other end of eth0 in pc.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n box link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n box link set dev lan0 addrgenmode none
ip -n box link set dev lan0 up
ip -n box link set dev uplink0 addrgenmode none
ip -n box link set dev uplink0 up
# An address, and with its length the route to its subnet.
ip -n box addr add 10.5.1.1/24 dev lan0
ip -n box addr add 10.5.2.1/24 dev uplink0

# pc: eth0 is the other end of uplink0 in box.
ip -n pc link set dev lo up
ip -n pc link set dev eth0 addrgenmode none
ip -n pc link set dev eth0 up
ip -n pc addr add 10.5.2.2/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n pc route add default via 10.5.2.1

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/box
cat > /etc/netns/box/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.5.1.1 box box.physical
10.5.2.1 box box.physical
10.5.2.2 pc pc.physical
EOF
mkdir -p /etc/netns/pc
cat > /etc/netns/pc/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.5.2.1 box box.physical
10.5.1.1 box box.physical
10.5.2.2 pc pc.physical
EOF
