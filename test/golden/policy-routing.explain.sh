#!/bin/bash
# Lab policy-routing: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add staff
ip netns add guest
ip netns add gw
ip netns add provider1
ip netns add provider2
ip netns add server

# gw: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec gw sysctl -qw net.ipv4.ip_forward=1
ip netns exec gw sysctl -qw net.ipv6.conf.all.forwarding=1

# provider1: settings that new devices take over.
ip netns exec provider1 sysctl -qw net.ipv4.ip_forward=1
ip netns exec provider1 sysctl -qw net.ipv6.conf.all.forwarding=1

# provider2: settings that new devices take over.
ip netns exec provider2 sysctl -qw net.ipv4.ip_forward=1
ip netns exec provider2 sysctl -qw net.ipv6.conf.all.forwarding=1

# staff: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n staff link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name staff netns gw numtxqueues 1 numrxqueues 1

# guest: its devices.
ip -n guest link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name guests netns gw numtxqueues 1 numrxqueues 1

# gw: its devices.
ip -n gw link add name isp1 numtxqueues 1 numrxqueues 1 type veth peer name customer netns provider1 numtxqueues 1 numrxqueues 1
ip -n gw link add name isp2 numtxqueues 1 numrxqueues 1 type veth peer name customer netns provider2 numtxqueues 1 numrxqueues 1

# provider1: its devices.
ip -n provider1 link add name core numtxqueues 1 numrxqueues 1 type veth peer name net1 netns server numtxqueues 1 numrxqueues 1

# provider2: its devices.
ip -n provider2 link add name core numtxqueues 1 numrxqueues 1 type veth peer name net2 netns server numtxqueues 1 numrxqueues 1

# staff: eth0 is the other end of staff in gw.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n staff link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n staff link set dev eth0 addrgenmode none
ip -n staff link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n staff addr add 10.1.1.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n staff route add default via 10.1.1.254

# guest: eth0 is the other end of guests in gw.
ip -n guest link set dev lo up
ip -n guest link set dev eth0 addrgenmode none
ip -n guest link set dev eth0 up
ip -n guest addr add 10.1.2.1/24 dev eth0
ip -n guest route add default via 10.1.2.254

# gw: staff is the other end of eth0 in staff, guests is the other end of eth0 in guest, isp1 is the other end of customer in provider1, isp2 is the other end of customer in provider2.
ip -n gw link set dev lo up
ip -n gw link set dev staff addrgenmode none
ip -n gw link set dev staff up
ip -n gw link set dev guests addrgenmode none
ip -n gw link set dev guests up
ip -n gw link set dev isp1 addrgenmode none
ip -n gw link set dev isp1 up
ip -n gw link set dev isp2 addrgenmode none
ip -n gw link set dev isp2 up
ip -n gw addr add 10.1.1.254/24 dev staff
ip -n gw addr add 10.1.2.254/24 dev guests
ip -n gw addr add 198.51.100.2/30 dev isp1
ip -n gw addr add 203.0.113.2/30 dev isp2
ip -n gw route add default table 100 via 198.51.100.1
ip -n gw route add default table 200 via 203.0.113.1
ip -n gw route add default metric 10 via 198.51.100.1
ip -n gw route add default metric 20 via 203.0.113.1
# Which routing table is asked, and for which packets: the rule with the lowest priority that fits.
ip -n gw rule add priority 10 from 10.1.2.0/24 to 10.1.1.0/24 prohibit
ip -n gw rule add priority 50 lookup 254 suppress_prefixlength 0
ip -n gw rule add priority 100 from 10.1.1.0/24 lookup 100
ip -n gw rule add priority 200 from 10.1.2.0/24 lookup 200

# provider1: customer is the other end of isp1 in gw, core is the other end of net1 in server.
ip -n provider1 link set dev lo up
ip -n provider1 link set dev customer addrgenmode none
ip -n provider1 link set dev customer up
ip -n provider1 link set dev core addrgenmode none
ip -n provider1 link set dev core up
ip -n provider1 addr add 198.51.100.1/30 dev customer
ip -n provider1 addr add 10.9.1.1/24 dev core
ip -n provider1 route add 10.1.0.0/16 via 198.51.100.2
ip -n provider1 route add 10.9.0.1/32 via 10.9.1.254

# provider2: customer is the other end of isp2 in gw, core is the other end of net2 in server.
ip -n provider2 link set dev lo up
ip -n provider2 link set dev customer addrgenmode none
ip -n provider2 link set dev customer up
ip -n provider2 link set dev core addrgenmode none
ip -n provider2 link set dev core up
ip -n provider2 addr add 203.0.113.1/30 dev customer
ip -n provider2 addr add 10.9.2.1/24 dev core
ip -n provider2 route add 10.1.0.0/16 via 203.0.113.2
ip -n provider2 route add 10.9.0.1/32 via 10.9.2.254

# server: net1 is the other end of core in provider1, net2 is the other end of core in provider2.
ip -n server link set dev lo up
ip -n server link set dev net1 addrgenmode none
ip -n server link set dev net1 up
ip -n server link set dev net2 addrgenmode none
ip -n server link set dev net2 up
ip -n server addr add 10.9.0.1/32 dev lo
ip -n server addr add 10.9.1.254/24 dev net1
ip -n server addr add 10.9.2.254/24 dev net2
ip -n server route add 10.1.1.0/24 via 10.9.1.1
ip -n server route add 10.1.2.0/24 via 10.9.2.1
ip -n server route add 198.51.100.0/30 via 10.9.1.1
ip -n server route add 203.0.113.0/30 via 10.9.2.1

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/staff
cat > /etc/netns/staff/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 staff staff.policy-routing
10.1.2.1 guest guest.policy-routing
10.1.1.254 gw gw.policy-routing
10.1.2.254 gw gw.policy-routing
198.51.100.2 gw gw.policy-routing
203.0.113.2 gw gw.policy-routing
198.51.100.1 provider1 provider1.policy-routing
10.9.1.1 provider1 provider1.policy-routing
203.0.113.1 provider2 provider2.policy-routing
10.9.2.1 provider2 provider2.policy-routing
10.9.0.1 server server.policy-routing
10.9.1.254 server server.policy-routing
10.9.2.254 server server.policy-routing
EOF
mkdir -p /etc/netns/guest
cat > /etc/netns/guest/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 staff staff.policy-routing
10.1.2.1 guest guest.policy-routing
10.1.2.254 gw gw.policy-routing
10.1.1.254 gw gw.policy-routing
198.51.100.2 gw gw.policy-routing
203.0.113.2 gw gw.policy-routing
198.51.100.1 provider1 provider1.policy-routing
10.9.1.1 provider1 provider1.policy-routing
203.0.113.1 provider2 provider2.policy-routing
10.9.2.1 provider2 provider2.policy-routing
10.9.0.1 server server.policy-routing
10.9.1.254 server server.policy-routing
10.9.2.254 server server.policy-routing
EOF
ln -sT staff /etc/netns/gw
mkdir -p /etc/netns/provider1
cat > /etc/netns/provider1/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 staff staff.policy-routing
10.1.2.1 guest guest.policy-routing
198.51.100.2 gw gw.policy-routing
10.1.1.254 gw gw.policy-routing
10.1.2.254 gw gw.policy-routing
203.0.113.2 gw gw.policy-routing
198.51.100.1 provider1 provider1.policy-routing
10.9.1.1 provider1 provider1.policy-routing
203.0.113.1 provider2 provider2.policy-routing
10.9.2.1 provider2 provider2.policy-routing
10.9.1.254 server server.policy-routing
10.9.0.1 server server.policy-routing
10.9.2.254 server server.policy-routing
EOF
mkdir -p /etc/netns/provider2
cat > /etc/netns/provider2/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 staff staff.policy-routing
10.1.2.1 guest guest.policy-routing
203.0.113.2 gw gw.policy-routing
10.1.1.254 gw gw.policy-routing
10.1.2.254 gw gw.policy-routing
198.51.100.2 gw gw.policy-routing
198.51.100.1 provider1 provider1.policy-routing
10.9.1.1 provider1 provider1.policy-routing
203.0.113.1 provider2 provider2.policy-routing
10.9.2.1 provider2 provider2.policy-routing
10.9.2.254 server server.policy-routing
10.9.0.1 server server.policy-routing
10.9.1.254 server server.policy-routing
EOF
mkdir -p /etc/netns/server
cat > /etc/netns/server/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 staff staff.policy-routing
10.1.2.1 guest guest.policy-routing
10.1.1.254 gw gw.policy-routing
10.1.2.254 gw gw.policy-routing
198.51.100.2 gw gw.policy-routing
203.0.113.2 gw gw.policy-routing
10.9.1.1 provider1 provider1.policy-routing
198.51.100.1 provider1 provider1.policy-routing
10.9.2.1 provider2 provider2.policy-routing
203.0.113.1 provider2 provider2.policy-routing
10.9.0.1 server server.policy-routing
10.9.1.254 server server.policy-routing
10.9.2.254 server server.policy-routing
EOF
