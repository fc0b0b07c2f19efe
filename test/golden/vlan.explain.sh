#!/bin/bash
# Lab vlan: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add sw1
ip netns add sw2
ip netns add sales1
ip netns add sales2
ip netns add tech1
ip netns add tech2
ip netns add router

# sw1: settings that new devices take over.
# Ports of a switch need no IPv6: 1 is none, no link-local address.
ip netns exec sw1 sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# sw2: settings that new devices take over.
ip netns exec sw2 sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# router: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec router sysctl -qw net.ipv4.ip_forward=1
ip netns exec router sysctl -qw net.ipv6.conf.all.forwarding=1

# sw1: its devices.
# A bridge is a switch; what has it as master is a port.
ip -n sw1 link add name br0 up type bridge vlan_filtering 1

# sw2: its devices.
ip -n sw2 link add name br0 up type bridge vlan_filtering 1

# sw1: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n sw1 link add name p1 numtxqueues 1 numrxqueues 1 master br0 type veth peer name eth0 netns sales1 numtxqueues 1 numrxqueues 1
ip -n sw1 link add name p2 numtxqueues 1 numrxqueues 1 master br0 type veth peer name eth0 netns tech1 numtxqueues 1 numrxqueues 1
ip -n sw1 link add name trunk numtxqueues 1 numrxqueues 1 master br0 type veth peer name trunk netns sw2 numtxqueues 1 numrxqueues 1
ip -n sw1 link add name p9 numtxqueues 1 numrxqueues 1 master br0 type veth peer name eth0 netns router numtxqueues 1 numrxqueues 1

# sw2: its devices.
ip -n sw2 link add name p1 numtxqueues 1 numrxqueues 1 master br0 type veth peer name eth0 netns sales2 numtxqueues 1 numrxqueues 1
ip -n sw2 link add name p2 numtxqueues 1 numrxqueues 1 master br0 type veth peer name eth0 netns tech2 numtxqueues 1 numrxqueues 1

# router: its devices.
# A VLAN: its frames carry a tag on the device it stands on.
ip -n router link add name eth0.10 link eth0 type vlan id 10
ip -n router link add name eth0.20 link eth0 type vlan id 20

# sw1: p1 is the other end of eth0 in sales1, p2 is the other end of eth0 in tech1, trunk is the other end of trunk in sw2, p9 is the other end of eth0 in router.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n sw1 link set dev lo up
bridge -n sw1 vlan del dev p1 vid 1
# Frames without a tag belong to this VLAN, and leave without a tag.
bridge -n sw1 vlan add dev p1 vid 10 pvid untagged
ip -n sw1 link set dev p1 up
bridge -n sw1 vlan del dev p2 vid 1
bridge -n sw1 vlan add dev p2 vid 20 pvid untagged
ip -n sw1 link set dev p2 up
# Frames of these VLANs pass with their tag.
bridge -n sw1 vlan add dev trunk vid 10
bridge -n sw1 vlan add dev trunk vid 20
ip -n sw1 link set dev trunk up
bridge -n sw1 vlan add dev p9 vid 10
bridge -n sw1 vlan add dev p9 vid 20
ip -n sw1 link set dev p9 up

# sw2: p1 is the other end of eth0 in sales2, p2 is the other end of eth0 in tech2, trunk is the other end of trunk in sw1.
ip -n sw2 link set dev lo up
bridge -n sw2 vlan del dev p1 vid 1
bridge -n sw2 vlan add dev p1 vid 10 pvid untagged
ip -n sw2 link set dev p1 up
bridge -n sw2 vlan del dev p2 vid 1
bridge -n sw2 vlan add dev p2 vid 20 pvid untagged
ip -n sw2 link set dev p2 up
# An interface with a master is a port of it.
ip -n sw2 link set dev trunk master br0
bridge -n sw2 vlan add dev trunk vid 10
bridge -n sw2 vlan add dev trunk vid 20
ip -n sw2 link set dev trunk up

# sales1: eth0 is the other end of p1 in sw1.
ip -n sales1 link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n sales1 link set dev eth0 addrgenmode none
ip -n sales1 link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n sales1 addr add 10.1.10.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n sales1 route add default via 10.1.10.254

# sales2: eth0 is the other end of p1 in sw2.
ip -n sales2 link set dev lo up
ip -n sales2 link set dev eth0 addrgenmode none
ip -n sales2 link set dev eth0 up
ip -n sales2 addr add 10.1.10.2/24 dev eth0
ip -n sales2 route add default via 10.1.10.254

# tech1: eth0 is the other end of p2 in sw1.
ip -n tech1 link set dev lo up
ip -n tech1 link set dev eth0 addrgenmode none
ip -n tech1 link set dev eth0 up
ip -n tech1 addr add 10.1.20.1/24 dev eth0
ip -n tech1 route add default via 10.1.20.254

# tech2: eth0 is the other end of p2 in sw2.
ip -n tech2 link set dev lo up
ip -n tech2 link set dev eth0 addrgenmode none
ip -n tech2 link set dev eth0 up
ip -n tech2 addr add 10.1.20.2/24 dev eth0
ip -n tech2 route add default via 10.1.20.254

# router: eth0 is the other end of p9 in sw1.
ip -n router link set dev lo up
ip -n router link set dev eth0 addrgenmode none
ip -n router link set dev eth0.10 addrgenmode none
ip -n router link set dev eth0.20 addrgenmode none
ip -n router link set dev eth0 up
ip -n router link set dev eth0.10 up
ip -n router link set dev eth0.20 up
ip -n router addr add 10.1.10.254/24 dev eth0.10
ip -n router addr add 10.1.20.254/24 dev eth0.20

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/sw1
cat > /etc/netns/sw1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.10.1 sales1 sales1.vlan
10.1.10.2 sales2 sales2.vlan
10.1.20.1 tech1 tech1.vlan
10.1.20.2 tech2 tech2.vlan
10.1.10.254 router router.vlan
10.1.20.254 router router.vlan
EOF
ln -sT sw1 /etc/netns/sw2
ln -sT sw1 /etc/netns/sales1
ln -sT sw1 /etc/netns/sales2
mkdir -p /etc/netns/tech1
cat > /etc/netns/tech1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.10.1 sales1 sales1.vlan
10.1.10.2 sales2 sales2.vlan
10.1.20.1 tech1 tech1.vlan
10.1.20.2 tech2 tech2.vlan
10.1.20.254 router router.vlan
10.1.10.254 router router.vlan
EOF
ln -sT tech1 /etc/netns/tech2
ln -sT sw1 /etc/netns/router
