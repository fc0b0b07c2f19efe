#!/bin/bash
# Lab gre: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add pc1
ip netns add r1
ip netns add core
ip netns add r2
ip netns add pc2

# r1: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec r1 sysctl -qw net.ipv4.ip_forward=1
ip netns exec r1 sysctl -qw net.ipv6.conf.all.forwarding=1

# core: settings that new devices take over.
ip netns exec core sysctl -qw net.ipv4.ip_forward=1
ip netns exec core sysctl -qw net.ipv6.conf.all.forwarding=1

# r2: settings that new devices take over.
ip netns exec r2 sysctl -qw net.ipv4.ip_forward=1
ip netns exec r2 sysctl -qw net.ipv6.conf.all.forwarding=1

# pc1: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n pc1 link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name lan netns r1 numtxqueues 1 numrxqueues 1

# r1: its devices.
ip -n r1 link add name wan numtxqueues 1 numrxqueues 1 type veth peer name west netns core numtxqueues 1 numrxqueues 1

# core: its devices.
ip -n core link add name east numtxqueues 1 numrxqueues 1 type veth peer name wan netns r2 numtxqueues 1 numrxqueues 1

# r2: its devices.
ip -n r2 link add name lan numtxqueues 1 numrxqueues 1 type veth peer name eth0 netns pc2 numtxqueues 1 numrxqueues 1

# r1: its devices.
ip -n r1 link add name loop0 type dummy
ip -n r1 link add name tun0 type gre local 192.168.255.1 remote 192.168.255.2 ttl 64

# r2: its devices.
ip -n r2 link add name loop0 type dummy
ip -n r2 link add name tun0 type gre local 192.168.255.2 remote 192.168.255.1 ttl 64

# pc1: eth0 is the other end of lan in r1.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n pc1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n pc1 link set dev eth0 addrgenmode none
ip -n pc1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n pc1 addr add 10.1.0.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n pc1 route add default via 10.1.0.254

# r1: lan is the other end of eth0 in pc1, wan is the other end of west in core.
ip -n r1 link set dev lo up
ip -n r1 link set dev lan addrgenmode none
ip -n r1 link set dev lan up
ip -n r1 link set dev wan addrgenmode none
ip -n r1 link set dev wan up
ip -n r1 link set dev loop0 addrgenmode none
ip -n r1 link set dev loop0 up
ip -n r1 link set dev tun0 addrgenmode none
ip -n r1 link set dev tun0 up
ip -n r1 addr add 10.1.0.254/24 dev lan
ip -n r1 addr add 10.100.1.1/30 dev wan
ip -n r1 addr add 192.168.255.1/32 dev loop0
ip -n r1 addr add 10.99.0.1/30 dev tun0
ip -n r1 route add 10.2.0.0/24 dev tun0
ip -n r1 route add 192.168.255.2/32 via 10.100.1.2

# core: west is the other end of wan in r1, east is the other end of wan in r2.
ip -n core link set dev lo up
ip -n core link set dev west addrgenmode none
ip -n core link set dev west up
ip -n core link set dev east addrgenmode none
ip -n core link set dev east up
ip -n core addr add 10.100.1.2/30 dev west
ip -n core addr add 10.100.2.2/30 dev east
ip -n core route add 192.168.255.1/32 via 10.100.1.1
ip -n core route add 192.168.255.2/32 via 10.100.2.1

# r2: lan is the other end of eth0 in pc2, wan is the other end of east in core.
ip -n r2 link set dev lo up
ip -n r2 link set dev lan addrgenmode none
ip -n r2 link set dev lan up
ip -n r2 link set dev wan addrgenmode none
ip -n r2 link set dev wan up
ip -n r2 link set dev loop0 addrgenmode none
ip -n r2 link set dev loop0 up
ip -n r2 link set dev tun0 addrgenmode none
ip -n r2 link set dev tun0 up
ip -n r2 addr add 10.2.0.254/24 dev lan
ip -n r2 addr add 10.100.2.1/30 dev wan
ip -n r2 addr add 192.168.255.2/32 dev loop0
ip -n r2 addr add 10.99.0.2/30 dev tun0
ip -n r2 route add 10.1.0.0/24 dev tun0
ip -n r2 route add 192.168.255.1/32 via 10.100.2.2

# pc2: eth0 is the other end of lan in r2.
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
10.1.0.1 pc1 pc1.gre
10.1.0.254 r1 r1.gre
10.100.1.1 r1 r1.gre
192.168.255.1 r1 r1.gre
10.99.0.1 r1 r1.gre
10.100.1.2 core core.gre
10.100.2.2 core core.gre
10.2.0.254 r2 r2.gre
10.100.2.1 r2 r2.gre
192.168.255.2 r2 r2.gre
10.99.0.2 r2 r2.gre
10.2.0.1 pc2 pc2.gre
EOF
mkdir -p /etc/netns/r1
cat > /etc/netns/r1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc1 pc1.gre
10.1.0.254 r1 r1.gre
10.100.1.1 r1 r1.gre
192.168.255.1 r1 r1.gre
10.99.0.1 r1 r1.gre
10.100.1.2 core core.gre
10.100.2.2 core core.gre
10.99.0.2 r2 r2.gre
10.2.0.254 r2 r2.gre
10.100.2.1 r2 r2.gre
192.168.255.2 r2 r2.gre
10.2.0.1 pc2 pc2.gre
EOF
mkdir -p /etc/netns/core
cat > /etc/netns/core/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc1 pc1.gre
10.100.1.1 r1 r1.gre
10.1.0.254 r1 r1.gre
192.168.255.1 r1 r1.gre
10.99.0.1 r1 r1.gre
10.100.1.2 core core.gre
10.100.2.2 core core.gre
10.100.2.1 r2 r2.gre
10.2.0.254 r2 r2.gre
192.168.255.2 r2 r2.gre
10.99.0.2 r2 r2.gre
10.2.0.1 pc2 pc2.gre
EOF
mkdir -p /etc/netns/r2
cat > /etc/netns/r2/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc1 pc1.gre
10.99.0.1 r1 r1.gre
10.1.0.254 r1 r1.gre
10.100.1.1 r1 r1.gre
192.168.255.1 r1 r1.gre
10.100.2.2 core core.gre
10.100.1.2 core core.gre
10.2.0.254 r2 r2.gre
10.100.2.1 r2 r2.gre
192.168.255.2 r2 r2.gre
10.99.0.2 r2 r2.gre
10.2.0.1 pc2 pc2.gre
EOF
ln -sT pc1 /etc/netns/pc2
