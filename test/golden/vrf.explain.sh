#!/bin/bash
# Lab vrf: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add red1
ip netns add redserver
ip netns add blue1
ip netns add blueserver
ip netns add router

# router: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec router sysctl -qw net.ipv4.ip_forward=1
ip netns exec router sysctl -qw net.ipv6.conf.all.forwarding=1

# router: its devices.
# A VRF: its ports use a routing table of their own.
ip -n router link add name red type vrf table 10
ip -n router link add name blue type vrf table 20

# red1: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n red1 link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name to-red1 netns router numtxqueues 1 numrxqueues 1

# redserver: its devices.
ip -n redserver link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name to-redserver netns router numtxqueues 1 numrxqueues 1

# blue1: its devices.
ip -n blue1 link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name to-blue1 netns router numtxqueues 1 numrxqueues 1

# blueserver: its devices.
ip -n blueserver link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name to-blueserver netns router numtxqueues 1 numrxqueues 1

# red1: eth0 is the other end of to-red1 in router.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n red1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n red1 link set dev eth0 addrgenmode none
ip -n red1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n red1 addr add 10.0.0.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n red1 route add default via 10.0.0.254

# redserver: eth0 is the other end of to-redserver in router.
ip -n redserver link set dev lo up
ip -n redserver link set dev eth0 addrgenmode none
ip -n redserver link set dev eth0 up
ip -n redserver addr add 10.0.9.1/24 dev eth0
ip -n redserver route add default via 10.0.9.254

# blue1: eth0 is the other end of to-blue1 in router.
ip -n blue1 link set dev lo up
ip -n blue1 link set dev eth0 addrgenmode none
ip -n blue1 link set dev eth0 up
ip -n blue1 addr add 10.0.0.1/24 dev eth0
ip -n blue1 route add default via 10.0.0.254

# blueserver: eth0 is the other end of to-blueserver in router.
ip -n blueserver link set dev lo up
ip -n blueserver link set dev eth0 addrgenmode none
ip -n blueserver link set dev eth0 up
ip -n blueserver addr add 10.0.9.1/24 dev eth0
ip -n blueserver addr add 172.16.0.1/32 dev lo
ip -n blueserver route add default via 10.0.9.254

# router: to-red1 is the other end of eth0 in red1, to-redserver is the other end of eth0 in redserver, to-blue1 is the other end of eth0 in blue1, to-blueserver is the other end of eth0 in blueserver.
ip -n router link set dev lo up
ip -n router link set dev red addrgenmode none
ip -n router link set dev red up
ip -n router link set dev blue addrgenmode none
ip -n router link set dev blue up
ip -n router link set dev to-red1 master red addrgenmode none
ip -n router link set dev to-red1 up
ip -n router link set dev to-redserver master red addrgenmode none
ip -n router link set dev to-redserver up
ip -n router link set dev to-blue1 master blue addrgenmode none
ip -n router link set dev to-blue1 up
ip -n router link set dev to-blueserver master blue addrgenmode none
ip -n router link set dev to-blueserver up
ip -n router addr add 10.0.0.254/24 dev to-red1
ip -n router addr add 10.0.9.254/24 dev to-redserver
ip -n router addr add 10.0.0.254/24 dev to-blue1
ip -n router addr add 10.0.9.254/24 dev to-blueserver
# A route that leads nowhere, on purpose.
ip -n router route add unreachable default metric 4278198272 table 10
ip -n router route add unreachable default metric 4278198272 table 20
ip -n router route add 172.16.0.1/32 table 20 via 10.0.9.1 dev to-blueserver

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/red1
cat > /etc/netns/red1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.0.0.1 red1 red1.vrf
10.0.9.1 redserver redserver.vrf
10.0.0.1 blue1 blue1.vrf
10.0.9.1 blueserver blueserver.vrf
172.16.0.1 blueserver blueserver.vrf
10.0.0.254 router router.vrf
10.0.0.254 router router.vrf
10.0.9.254 router router.vrf
10.0.9.254 router router.vrf
EOF
mkdir -p /etc/netns/redserver
cat > /etc/netns/redserver/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.0.0.1 red1 red1.vrf
10.0.9.1 redserver redserver.vrf
10.0.0.1 blue1 blue1.vrf
10.0.9.1 blueserver blueserver.vrf
172.16.0.1 blueserver blueserver.vrf
10.0.9.254 router router.vrf
10.0.9.254 router router.vrf
10.0.0.254 router router.vrf
10.0.0.254 router router.vrf
EOF
ln -sT red1 /etc/netns/blue1
ln -sT redserver /etc/netns/blueserver
mkdir -p /etc/netns/router
cat > /etc/netns/router/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.0.0.1 red1 red1.vrf
10.0.9.1 redserver redserver.vrf
10.0.0.1 blue1 blue1.vrf
10.0.9.1 blueserver blueserver.vrf
172.16.0.1 blueserver blueserver.vrf
10.0.0.254 router router.vrf
10.0.9.254 router router.vrf
10.0.0.254 router router.vrf
10.0.9.254 router router.vrf
EOF
