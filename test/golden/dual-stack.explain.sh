#!/bin/bash
# Lab dual-stack: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add pc1
ip netns add router
ip netns add pc2

# router: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec router sysctl -qw net.ipv4.ip_forward=1
ip netns exec router sysctl -qw net.ipv6.conf.all.forwarding=1

# pc1: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n pc1 link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name left netns router numtxqueues 1 numrxqueues 1

# router: its devices.
ip -n router link add name right numtxqueues 1 numrxqueues 1 type veth peer name eth0 netns pc2 numtxqueues 1 numrxqueues 1

# pc1: eth0 is the other end of left in router.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n pc1 link set dev lo up
ip netns exec pc1 sysctl -qw net.ipv6.conf.eth0.accept_dad=0
ip -n pc1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n pc1 addr add 10.2.1.1/24 dev eth0
ip -n pc1 addr add 2001:db8:1::1/64 dev eth0 nodad
# Where to send what is on no subnet of the node.
ip -n pc1 route add default via 10.2.1.254
ip -6 -n pc1 route add default via 2001:db8:1::fe

# router: left is the other end of eth0 in pc1, right is the other end of eth0 in pc2.
ip -n router link set dev lo up
ip netns exec router sysctl -qw net.ipv6.conf.left.accept_dad=0
ip -n router link set dev left up
ip netns exec router sysctl -qw net.ipv6.conf.right.accept_dad=0
ip -n router link set dev right up
ip -n router addr add 10.2.1.254/24 dev left
ip -n router addr add 2001:db8:1::fe/64 dev left nodad
ip -n router addr add 10.2.2.254/24 dev right
ip -n router addr add 2001:db8:2::fe/64 dev right nodad

# pc2: eth0 is the other end of right in router.
ip -n pc2 link set dev lo up
ip netns exec pc2 sysctl -qw net.ipv6.conf.eth0.accept_dad=0
ip -n pc2 link set dev eth0 up
ip -n pc2 addr add 10.2.2.1/24 dev eth0
ip -n pc2 addr add 2001:db8:2::1/64 dev eth0 nodad
ip -n pc2 route add default via 10.2.2.254
ip -6 -n pc2 route add default via 2001:db8:2::fe

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/pc1
cat > /etc/netns/pc1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.2.1.1 pc1 pc1.dual-stack
2001:db8:1::1 pc1 pc1.dual-stack
10.2.1.254 router router.dual-stack
2001:db8:1::fe router router.dual-stack
10.2.2.254 router router.dual-stack
2001:db8:2::fe router router.dual-stack
10.2.2.1 pc2 pc2.dual-stack
2001:db8:2::1 pc2 pc2.dual-stack
EOF
ln -sT pc1 /etc/netns/router
mkdir -p /etc/netns/pc2
cat > /etc/netns/pc2/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.2.1.1 pc1 pc1.dual-stack
2001:db8:1::1 pc1 pc1.dual-stack
10.2.2.254 router router.dual-stack
2001:db8:2::fe router router.dual-stack
10.2.1.254 router router.dual-stack
2001:db8:1::fe router router.dual-stack
10.2.2.1 pc2 pc2.dual-stack
2001:db8:2::1 pc2 pc2.dual-stack
EOF
