#!/bin/bash
# Lab nat: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add pc1
ip netns add pc2
ip netns add sw
ip netns add gw
ip netns add outside

# sw: settings that new devices take over.
# Ports of a switch need no IPv6: 1 is none, no link-local address.
ip netns exec sw sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# gw: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec gw sysctl -qw net.ipv4.ip_forward=1
ip netns exec gw sysctl -qw net.ipv6.conf.all.forwarding=1

# sw: its devices.
# A bridge is a switch; what has it as master is a port.
ip -n sw link add name br0 up type bridge
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n sw link add name p1 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns pc1 numtxqueues 1 numrxqueues 1
ip -n sw link add name p2 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns pc2 numtxqueues 1 numrxqueues 1
ip -n sw link add name p3 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name lan netns gw numtxqueues 1 numrxqueues 1

# gw: its devices.
ip -n gw link add name uplink numtxqueues 1 numrxqueues 1 type veth peer name eth0 netns outside numtxqueues 1 numrxqueues 1

# pc1: eth0 is the other end of p1 in sw.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n pc1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n pc1 link set dev eth0 addrgenmode none
ip -n pc1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n pc1 addr add 10.1.1.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n pc1 route add default via 10.1.1.254

# pc2: eth0 is the other end of p2 in sw.
ip -n pc2 link set dev lo up
ip -n pc2 link set dev eth0 addrgenmode none
ip -n pc2 link set dev eth0 up
ip -n pc2 addr add 10.1.1.2/24 dev eth0
ip -n pc2 route add default via 10.1.1.254

# sw: p1 is the other end of eth0 in pc1, p2 is the other end of eth0 in pc2, p3 is the other end of lan in gw.
ip -n sw link set dev lo up

# gw: lan is the other end of p3 in sw, uplink is the other end of eth0 in outside.
ip -n gw link set dev lo up
ip -n gw link set dev lan addrgenmode none
ip -n gw link set dev lan up
ip -n gw link set dev uplink addrgenmode none
ip -n gw link set dev uplink up
ip -n gw addr add 10.1.1.254/24 dev lan
ip -n gw addr add 198.51.100.2/30 dev uplink
# NAT and firewall: one nft table holds both, and is removed as one.
ip netns exec gw nft -f - <<'EOF'
table inet nslab {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "uplink" masquerade
	}
}
EOF

# outside: eth0 is the other end of uplink in gw.
ip -n outside link set dev lo up
ip -n outside link set dev eth0 addrgenmode none
ip -n outside link set dev eth0 up
ip -n outside addr add 198.51.100.1/30 dev eth0

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/pc1
cat > /etc/netns/pc1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 pc1 pc1.nat
10.1.1.2 pc2 pc2.nat
10.1.1.254 gw gw.nat
198.51.100.2 gw gw.nat
198.51.100.1 outside outside.nat
EOF
ln -sT pc1 /etc/netns/pc2
ln -sT pc1 /etc/netns/sw
ln -sT pc1 /etc/netns/gw
mkdir -p /etc/netns/outside
cat > /etc/netns/outside/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 pc1 pc1.nat
10.1.1.2 pc2 pc2.nat
198.51.100.2 gw gw.nat
10.1.1.254 gw gw.nat
198.51.100.1 outside outside.nat
EOF
