#!/bin/bash
# Lab switch: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add sw
ip netns add pc1
ip netns add pc2
ip netns add pc3

# sw: settings that new devices take over.
# Ports of a switch need no IPv6: 1 is none, no link-local address.
ip netns exec sw sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# sw: its devices.
# A bridge is a switch; what has it as master is a port.
ip -n sw link add name br0 up type bridge
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n sw link add name p1 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns pc1 numtxqueues 1 numrxqueues 1
ip -n sw link add name p2 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns pc2 numtxqueues 1 numrxqueues 1
ip -n sw link add name p3 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns pc3 numtxqueues 1 numrxqueues 1

# sw: p1 is the other end of eth0 in pc1, p2 is the other end of eth0 in pc2, p3 is the other end of eth0 in pc3.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n sw link set dev lo up

# pc1: eth0 is the other end of p1 in sw.
ip -n pc1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n pc1 link set dev eth0 addrgenmode none
ip -n pc1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n pc1 addr add 10.1.1.1/24 dev eth0

# pc2: eth0 is the other end of p2 in sw.
ip -n pc2 link set dev lo up
ip -n pc2 link set dev eth0 addrgenmode none
ip -n pc2 link set dev eth0 up
ip -n pc2 addr add 10.1.1.2/24 dev eth0

# pc3: eth0 is the other end of p3 in sw.
ip -n pc3 link set dev lo up
ip -n pc3 link set dev eth0 addrgenmode none
ip -n pc3 link set dev eth0 up
ip -n pc3 addr add 10.1.1.3/24 dev eth0

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/sw
cat > /etc/netns/sw/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 pc1 pc1.switch
10.1.1.2 pc2 pc2.switch
10.1.1.3 pc3 pc3.switch
EOF
ln -sT sw /etc/netns/pc1
ln -sT sw /etc/netns/pc2
ln -sT sw /etc/netns/pc3
