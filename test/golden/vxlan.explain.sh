#!/bin/bash
# Lab vxlan: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add web1
ip netns add web2
ip netns add machine1
ip netns add machine2
ip netns add backbone

# machine1: settings that new devices take over.
# Ports of a switch need no IPv6: 1 is none, no link-local address.
ip netns exec machine1 sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# machine2: settings that new devices take over.
ip netns exec machine2 sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# backbone: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec backbone sysctl -qw net.ipv4.ip_forward=1
ip netns exec backbone sysctl -qw net.ipv6.conf.all.forwarding=1

# machine1: its devices.
# A bridge is a switch; what has it as master is a port.
ip -n machine1 link add name br0 mtu 1450 up type bridge

# machine2: its devices.
ip -n machine2 link add name br0 mtu 1450 up type bridge

# machine1: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n machine1 link add name port1 numtxqueues 1 numrxqueues 1 mtu 1450 master br0 up type veth peer name eth0 netns web1 numtxqueues 1 numrxqueues 1 mtu 1450
ip -n machine1 link add name nic numtxqueues 1 numrxqueues 1 up type veth peer name west netns backbone numtxqueues 1 numrxqueues 1

# machine2: its devices.
ip -n machine2 link add name port1 numtxqueues 1 numrxqueues 1 mtu 1450 master br0 up type veth peer name eth0 netns web2 numtxqueues 1 numrxqueues 1 mtu 1450
ip -n machine2 link add name nic numtxqueues 1 numrxqueues 1 up type veth peer name east netns backbone numtxqueues 1 numrxqueues 1

# machine1: its devices.
# A VXLAN: Ethernet frames travel in UDP packets between its ends.
ip -n machine1 link add name vx0 mtu 1450 master br0 type vxlan id 42 local 198.51.100.1 dstport 4789 learning

# machine2: its devices.
ip -n machine2 link add name vx0 mtu 1450 master br0 type vxlan id 42 local 198.51.100.129 dstport 4789 learning

# web1: eth0 is the other end of port1 in machine1.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n web1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n web1 link set dev eth0 addrgenmode none
ip -n web1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n web1 addr add 10.42.0.1/24 dev eth0

# web2: eth0 is the other end of port1 in machine2.
ip -n web2 link set dev lo up
ip -n web2 link set dev eth0 addrgenmode none
ip -n web2 link set dev eth0 up
ip -n web2 addr add 10.42.0.2/24 dev eth0

# machine1: nic is the other end of west in backbone, port1 is the other end of eth0 in web1.
ip -n machine1 link set dev lo up
ip -n machine1 link set dev vx0 up
ip -n machine1 addr add 198.51.100.1/25 dev nic
# Where to send what is on no subnet of the node.
ip -n machine1 route add default via 198.51.100.126
# There is no broadcast between machines: frames for everybody go to each of these.
bridge -n machine1 fdb append 00:00:00:00:00:00 dev vx0 dst 198.51.100.129

# machine2: nic is the other end of east in backbone, port1 is the other end of eth0 in web2.
ip -n machine2 link set dev lo up
ip -n machine2 link set dev vx0 up
ip -n machine2 addr add 198.51.100.129/25 dev nic
ip -n machine2 route add default via 198.51.100.254
bridge -n machine2 fdb append 00:00:00:00:00:00 dev vx0 dst 198.51.100.1

# backbone: west is the other end of nic in machine1, east is the other end of nic in machine2.
ip -n backbone link set dev lo up
ip -n backbone link set dev west addrgenmode none
ip -n backbone link set dev west up
ip -n backbone link set dev east addrgenmode none
ip -n backbone link set dev east up
ip -n backbone addr add 198.51.100.126/25 dev west
ip -n backbone addr add 198.51.100.254/25 dev east

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/web1
cat > /etc/netns/web1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.42.0.1 web1 web1.vxlan
10.42.0.2 web2 web2.vxlan
198.51.100.1 machine1 machine1.vxlan
198.51.100.129 machine2 machine2.vxlan
198.51.100.126 backbone backbone.vxlan
198.51.100.254 backbone backbone.vxlan
EOF
ln -sT web1 /etc/netns/web2
ln -sT web1 /etc/netns/machine1
mkdir -p /etc/netns/machine2
cat > /etc/netns/machine2/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.42.0.1 web1 web1.vxlan
10.42.0.2 web2 web2.vxlan
198.51.100.1 machine1 machine1.vxlan
198.51.100.129 machine2 machine2.vxlan
198.51.100.254 backbone backbone.vxlan
198.51.100.126 backbone backbone.vxlan
EOF
ln -sT web1 /etc/netns/backbone
