#!/bin/bash
# Lab ring: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add r1
ip netns add r2
ip netns add r3
ip netns add r4

# r1: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec r1 sysctl -qw net.ipv4.ip_forward=1
ip netns exec r1 sysctl -qw net.ipv6.conf.all.forwarding=1

# r2: settings that new devices take over.
ip netns exec r2 sysctl -qw net.ipv4.ip_forward=1
ip netns exec r2 sysctl -qw net.ipv6.conf.all.forwarding=1

# r3: settings that new devices take over.
ip netns exec r3 sysctl -qw net.ipv4.ip_forward=1
ip netns exec r3 sysctl -qw net.ipv6.conf.all.forwarding=1

# r4: settings that new devices take over.
ip netns exec r4 sysctl -qw net.ipv4.ip_forward=1
ip netns exec r4 sysctl -qw net.ipv6.conf.all.forwarding=1

# r1: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n r1 link add name right numtxqueues 1 numrxqueues 1 type veth peer name left netns r2 numtxqueues 1 numrxqueues 1
ip -n r1 link add name left numtxqueues 1 numrxqueues 1 type veth peer name right netns r4 numtxqueues 1 numrxqueues 1

# r2: its devices.
ip -n r2 link add name right numtxqueues 1 numrxqueues 1 type veth peer name left netns r3 numtxqueues 1 numrxqueues 1

# r3: its devices.
ip -n r3 link add name right numtxqueues 1 numrxqueues 1 type veth peer name left netns r4 numtxqueues 1 numrxqueues 1

# r1: right is the other end of left in r2, left is the other end of right in r4.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n r1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n r1 link set dev right addrgenmode none
ip -n r1 link set dev right up
ip -n r1 link set dev left addrgenmode none
ip -n r1 link set dev left up
# An address, and with its length the route to its subnet.
ip -n r1 addr add 10.0.0.1/32 dev lo
ip -n r1 addr add 10.12.0.0/31 dev right
ip -n r1 addr add 10.41.0.1/31 dev left
# Where to send what is on no subnet of the node.
ip -n r1 route add 10.0.0.2/32 via 10.12.0.1
ip -n r1 route add 10.0.0.3/32 via 10.12.0.1
ip -n r1 route add 10.0.0.4/32 via 10.41.0.0

# r2: right is the other end of left in r3, left is the other end of right in r1.
ip -n r2 link set dev lo up
ip -n r2 link set dev right addrgenmode none
ip -n r2 link set dev right up
ip -n r2 link set dev left addrgenmode none
ip -n r2 link set dev left up
ip -n r2 addr add 10.0.0.2/32 dev lo
ip -n r2 addr add 10.23.0.0/31 dev right
ip -n r2 addr add 10.12.0.1/31 dev left
ip -n r2 route add 10.0.0.3/32 via 10.23.0.1
ip -n r2 route add 10.0.0.4/32 via 10.23.0.1
ip -n r2 route add 10.0.0.1/32 via 10.12.0.0

# r3: right is the other end of left in r4, left is the other end of right in r2.
ip -n r3 link set dev lo up
ip -n r3 link set dev right addrgenmode none
ip -n r3 link set dev right up
ip -n r3 link set dev left addrgenmode none
ip -n r3 link set dev left up
ip -n r3 addr add 10.0.0.3/32 dev lo
ip -n r3 addr add 10.34.0.0/31 dev right
ip -n r3 addr add 10.23.0.1/31 dev left
ip -n r3 route add 10.0.0.4/32 via 10.34.0.1
ip -n r3 route add 10.0.0.1/32 via 10.34.0.1
ip -n r3 route add 10.0.0.2/32 via 10.23.0.0

# r4: right is the other end of left in r1, left is the other end of right in r3.
ip -n r4 link set dev lo up
ip -n r4 link set dev right addrgenmode none
ip -n r4 link set dev right up
ip -n r4 link set dev left addrgenmode none
ip -n r4 link set dev left up
ip -n r4 addr add 10.0.0.4/32 dev lo
ip -n r4 addr add 10.41.0.0/31 dev right
ip -n r4 addr add 10.34.0.1/31 dev left
ip -n r4 route add 10.0.0.1/32 via 10.41.0.1
ip -n r4 route add 10.0.0.2/32 via 10.41.0.1
ip -n r4 route add 10.0.0.3/32 via 10.34.0.0

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/r1
cat > /etc/netns/r1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.0.0.1 r1 r1.ring
10.12.0.0 r1 r1.ring
10.41.0.1 r1 r1.ring
10.12.0.1 r2 r2.ring
10.0.0.2 r2 r2.ring
10.23.0.0 r2 r2.ring
10.0.0.3 r3 r3.ring
10.34.0.0 r3 r3.ring
10.23.0.1 r3 r3.ring
10.41.0.0 r4 r4.ring
10.0.0.4 r4 r4.ring
10.34.0.1 r4 r4.ring
EOF
mkdir -p /etc/netns/r2
cat > /etc/netns/r2/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.12.0.0 r1 r1.ring
10.0.0.1 r1 r1.ring
10.41.0.1 r1 r1.ring
10.0.0.2 r2 r2.ring
10.23.0.0 r2 r2.ring
10.12.0.1 r2 r2.ring
10.23.0.1 r3 r3.ring
10.0.0.3 r3 r3.ring
10.34.0.0 r3 r3.ring
10.0.0.4 r4 r4.ring
10.41.0.0 r4 r4.ring
10.34.0.1 r4 r4.ring
EOF
mkdir -p /etc/netns/r3
cat > /etc/netns/r3/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.0.0.1 r1 r1.ring
10.12.0.0 r1 r1.ring
10.41.0.1 r1 r1.ring
10.23.0.0 r2 r2.ring
10.0.0.2 r2 r2.ring
10.12.0.1 r2 r2.ring
10.0.0.3 r3 r3.ring
10.34.0.0 r3 r3.ring
10.23.0.1 r3 r3.ring
10.34.0.1 r4 r4.ring
10.0.0.4 r4 r4.ring
10.41.0.0 r4 r4.ring
EOF
mkdir -p /etc/netns/r4
cat > /etc/netns/r4/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.41.0.1 r1 r1.ring
10.0.0.1 r1 r1.ring
10.12.0.0 r1 r1.ring
10.0.0.2 r2 r2.ring
10.23.0.0 r2 r2.ring
10.12.0.1 r2 r2.ring
10.34.0.0 r3 r3.ring
10.0.0.3 r3 r3.ring
10.23.0.1 r3 r3.ring
10.0.0.4 r4 r4.ring
10.41.0.0 r4 r4.ring
10.34.0.1 r4 r4.ring
EOF
