#!/bin/bash
# Lab docker0: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add c1
ip netns add c2
ip netns add internet

# host: its devices.
# A bridge is a switch; what has it as master is a port.
ip link add name br-docker0 group 1124113242 type bridge
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip link add name vethc1 numtxqueues 1 numrxqueues 1 group 1124113242 master br-docker0 type veth peer name eth0 netns c1 numtxqueues 1 numrxqueues 1
ip link add name vethc2 numtxqueues 1 numrxqueues 1 group 1124113242 master br-docker0 type veth peer name eth0 netns c2 numtxqueues 1 numrxqueues 1
ip link add name internet0 numtxqueues 1 numrxqueues 1 group 1124113242 type veth peer name eth0 netns internet numtxqueues 1 numrxqueues 1

# c1: eth0 is the other end of vethc1 in host.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n c1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n c1 link set dev eth0 addrgenmode none
ip -n c1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n c1 addr add 10.17.0.2/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n c1 route add default via 10.17.0.1

# c2: eth0 is the other end of vethc2 in host.
ip -n c2 link set dev lo up
ip -n c2 link set dev eth0 addrgenmode none
ip -n c2 link set dev eth0 up
ip -n c2 addr add 10.17.0.3/24 dev eth0
ip -n c2 route add default via 10.17.0.1

# internet: eth0 is the other end of internet0 in host.
ip -n internet link set dev lo up
ip -n internet link set dev eth0 addrgenmode none
ip -n internet link set dev eth0 up
ip -n internet addr add 203.0.113.2/30 dev eth0

# host: vethc1 is the other end of eth0 in c1, vethc2 is the other end of eth0 in c2, internet0 is the other end of eth0 in internet.
ip link set dev vethc1 addrgenmode none
ip link set dev vethc1 up
ip link set dev vethc2 addrgenmode none
ip link set dev vethc2 up
ip link set dev br-docker0 addrgenmode none
# A router passes on packets that are not for itself.
sysctl -qw net.ipv4.conf.br-docker0.forwarding=1
ip link set dev br-docker0 up
ip link set dev internet0 addrgenmode none
sysctl -qw net.ipv4.conf.internet0.forwarding=1
ip link set dev internet0 up
ip addr add 10.17.0.1/24 dev br-docker0
ip addr add 203.0.113.1/30 dev internet0
# NAT and firewall: one nft table holds both, and is removed as one.
nft -f - <<'EOF'
table inet nslab-docker0 {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "internet0" ip saddr 10.17.0.0/24 masquerade
	}
}
EOF

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/c1
cat > /etc/netns/c1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.17.0.2 c1 c1.docker0
10.17.0.3 c2 c2.docker0
203.0.113.2 internet internet.docker0
10.17.0.1 host host.docker0
203.0.113.1 host host.docker0
EOF
ln -sT c1 /etc/netns/c2
mkdir -p /etc/netns/internet
cat > /etc/netns/internet/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.17.0.2 c1 c1.docker0
10.17.0.3 c2 c2.docker0
203.0.113.2 internet internet.docker0
203.0.113.1 host host.docker0
10.17.0.1 host host.docker0
EOF
