#!/bin/bash
# Lab two-namespaces: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add test_ns

# host: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip link add name veth0 numtxqueues 1 numrxqueues 1 group 1129116781 type veth peer name veth1 netns test_ns numtxqueues 1 numrxqueues 1

# test_ns: veth1 is the other end of veth0 in host.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n test_ns link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n test_ns link set dev veth1 addrgenmode none
ip -n test_ns link set dev veth1 up
# An address, and with its length the route to its subnet.
ip -n test_ns addr add 10.1.1.1/24 dev veth1

# host: veth0 is the other end of veth1 in test_ns.
ip link set dev veth0 addrgenmode none
ip link set dev veth0 up
ip addr add 10.1.1.2/24 dev veth0

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/test_ns
cat > /etc/netns/test_ns/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 test_ns test_ns.two-namespaces
10.1.1.2 host host.two-namespaces
EOF
