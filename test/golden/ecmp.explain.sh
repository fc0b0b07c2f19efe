#!/bin/bash
# Lab ecmp: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add pc1
ip netns add left
ip netns add upper
ip netns add lower
ip netns add right
ip netns add pc2

# left: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec left sysctl -qw net.ipv4.ip_forward=1
ip netns exec left sysctl -qw net.ipv6.conf.all.forwarding=1
ip netns exec left sysctl -qw net.ipv4.fib_multipath_hash_policy=1

# upper: settings that new devices take over.
ip netns exec upper sysctl -qw net.ipv4.ip_forward=1
ip netns exec upper sysctl -qw net.ipv6.conf.all.forwarding=1

# lower: settings that new devices take over.
ip netns exec lower sysctl -qw net.ipv4.ip_forward=1
ip netns exec lower sysctl -qw net.ipv6.conf.all.forwarding=1

# right: settings that new devices take over.
ip netns exec right sysctl -qw net.ipv4.ip_forward=1
ip netns exec right sysctl -qw net.ipv6.conf.all.forwarding=1
ip netns exec right sysctl -qw net.ipv4.fib_multipath_hash_policy=1

# pc1: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n pc1 link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name lan netns left numtxqueues 1 numrxqueues 1

# left: its devices.
ip -n left link add name to-upper numtxqueues 1 numrxqueues 1 type veth peer name west netns upper numtxqueues 1 numrxqueues 1
ip -n left link add name to-lower numtxqueues 1 numrxqueues 1 type veth peer name west netns lower numtxqueues 1 numrxqueues 1

# upper: its devices.
ip -n upper link add name east numtxqueues 1 numrxqueues 1 type veth peer name to-upper netns right numtxqueues 1 numrxqueues 1

# lower: its devices.
ip -n lower link add name east numtxqueues 1 numrxqueues 1 type veth peer name to-lower netns right numtxqueues 1 numrxqueues 1

# right: its devices.
ip -n right link add name lan numtxqueues 1 numrxqueues 1 type veth peer name eth0 netns pc2 numtxqueues 1 numrxqueues 1

# pc1: eth0 is the other end of lan in left.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n pc1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n pc1 link set dev eth0 addrgenmode none
ip -n pc1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n pc1 addr add 10.1.0.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n pc1 route add default via 10.1.0.254

# left: lan is the other end of eth0 in pc1, to-upper is the other end of west in upper, to-lower is the other end of west in lower.
ip -n left link set dev lo up
ip -n left link set dev lan addrgenmode none
ip -n left link set dev lan up
ip -n left link set dev to-upper addrgenmode none
ip -n left link set dev to-upper up
ip -n left link set dev to-lower addrgenmode none
ip -n left link set dev to-lower up
ip -n left addr add 10.1.0.254/24 dev lan
ip -n left addr add 10.11.0.0/31 dev to-upper
ip -n left addr add 10.12.0.0/31 dev to-lower
ip -n left route add 10.2.0.0/24 nexthop via 10.11.0.1 nexthop via 10.12.0.1

# upper: west is the other end of to-upper in left, east is the other end of to-upper in right.
ip -n upper link set dev lo up
ip -n upper link set dev west addrgenmode none
ip -n upper link set dev west up
ip -n upper link set dev east addrgenmode none
ip -n upper link set dev east up
ip -n upper addr add 10.11.0.1/31 dev west
ip -n upper addr add 10.21.0.1/31 dev east
ip -n upper route add 10.2.0.0/24 via 10.21.0.0
ip -n upper route add 10.1.0.0/24 via 10.11.0.0

# lower: west is the other end of to-lower in left, east is the other end of to-lower in right.
ip -n lower link set dev lo up
ip -n lower link set dev west addrgenmode none
ip -n lower link set dev west up
ip -n lower link set dev east addrgenmode none
ip -n lower link set dev east up
ip -n lower addr add 10.12.0.1/31 dev west
ip -n lower addr add 10.22.0.1/31 dev east
ip -n lower route add 10.2.0.0/24 via 10.22.0.0
ip -n lower route add 10.1.0.0/24 via 10.12.0.0

# right: lan is the other end of eth0 in pc2, to-upper is the other end of east in upper, to-lower is the other end of east in lower.
ip -n right link set dev lo up
ip -n right link set dev lan addrgenmode none
ip -n right link set dev lan up
ip -n right link set dev to-upper addrgenmode none
ip -n right link set dev to-upper up
ip -n right link set dev to-lower addrgenmode none
ip -n right link set dev to-lower up
ip -n right addr add 10.2.0.254/24 dev lan
ip -n right addr add 10.21.0.0/31 dev to-upper
ip -n right addr add 10.22.0.0/31 dev to-lower
ip -n right route add 10.1.0.0/24 nexthop via 10.21.0.1 weight 1 nexthop via 10.22.0.1 weight 1

# pc2: eth0 is the other end of lan in right.
ip -n pc2 link set dev lo up
ip -n pc2 link set dev eth0 addrgenmode none
ip -n pc2 link set dev eth0 up
ip -n pc2 addr add 10.2.0.1/24 dev eth0
ip -n pc2 route add default via 10.2.0.254

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/pc1
cat > /etc/netns/pc1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc1 pc1.ecmp
10.1.0.254 left left.ecmp
10.11.0.0 left left.ecmp
10.12.0.0 left left.ecmp
10.11.0.1 upper upper.ecmp
10.21.0.1 upper upper.ecmp
10.12.0.1 lower lower.ecmp
10.22.0.1 lower lower.ecmp
10.2.0.254 right right.ecmp
10.21.0.0 right right.ecmp
10.22.0.0 right right.ecmp
10.2.0.1 pc2 pc2.ecmp
EOF
ln -sT pc1 /etc/netns/left
mkdir -p /etc/netns/upper
cat > /etc/netns/upper/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc1 pc1.ecmp
10.11.0.0 left left.ecmp
10.1.0.254 left left.ecmp
10.12.0.0 left left.ecmp
10.11.0.1 upper upper.ecmp
10.21.0.1 upper upper.ecmp
10.12.0.1 lower lower.ecmp
10.22.0.1 lower lower.ecmp
10.21.0.0 right right.ecmp
10.2.0.254 right right.ecmp
10.22.0.0 right right.ecmp
10.2.0.1 pc2 pc2.ecmp
EOF
mkdir -p /etc/netns/lower
cat > /etc/netns/lower/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc1 pc1.ecmp
10.12.0.0 left left.ecmp
10.1.0.254 left left.ecmp
10.11.0.0 left left.ecmp
10.11.0.1 upper upper.ecmp
10.21.0.1 upper upper.ecmp
10.12.0.1 lower lower.ecmp
10.22.0.1 lower lower.ecmp
10.22.0.0 right right.ecmp
10.2.0.254 right right.ecmp
10.21.0.0 right right.ecmp
10.2.0.1 pc2 pc2.ecmp
EOF
mkdir -p /etc/netns/right
cat > /etc/netns/right/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc1 pc1.ecmp
10.1.0.254 left left.ecmp
10.11.0.0 left left.ecmp
10.12.0.0 left left.ecmp
10.21.0.1 upper upper.ecmp
10.11.0.1 upper upper.ecmp
10.22.0.1 lower lower.ecmp
10.12.0.1 lower lower.ecmp
10.2.0.254 right right.ecmp
10.21.0.0 right right.ecmp
10.22.0.0 right right.ecmp
10.2.0.1 pc2 pc2.ecmp
EOF
ln -sT pc1 /etc/netns/pc2
