#!/bin/bash
# Lab wireguard: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add server
ip netns add office
ip netns add internet
ip netns add home
ip netns add laptop

# office: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec office sysctl -qw net.ipv4.ip_forward=1
ip netns exec office sysctl -qw net.ipv6.conf.all.forwarding=1

# internet: settings that new devices take over.
ip netns exec internet sysctl -qw net.ipv4.ip_forward=1
ip netns exec internet sysctl -qw net.ipv6.conf.all.forwarding=1

# home: settings that new devices take over.
ip netns exec home sysctl -qw net.ipv4.ip_forward=1
ip netns exec home sysctl -qw net.ipv6.conf.all.forwarding=1

# server: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n server link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name lan netns office numtxqueues 1 numrxqueues 1

# office: its devices.
ip -n office link add name wan numtxqueues 1 numrxqueues 1 type veth peer name to-office netns internet numtxqueues 1 numrxqueues 1

# internet: its devices.
ip -n internet link add name to-home numtxqueues 1 numrxqueues 1 type veth peer name wan netns home numtxqueues 1 numrxqueues 1

# home: its devices.
ip -n home link add name lan numtxqueues 1 numrxqueues 1 type veth peer name eth0 netns laptop numtxqueues 1 numrxqueues 1

# office: its devices.
ip -n office link add name wg0 type wireguard

# home: its devices.
ip -n home link add name wg0 type wireguard

# server: eth0 is the other end of lan in office.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n server link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n server link set dev eth0 addrgenmode none
ip -n server link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n server addr add 10.1.0.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n server route add default via 10.1.0.254

# office: lan is the other end of eth0 in server, wan is the other end of to-office in internet.
ip -n office link set dev lo up
ip -n office link set dev lan addrgenmode none
ip -n office link set dev lan up
ip -n office link set dev wan addrgenmode none
ip -n office link set dev wan up
ip -n office link set dev wg0 addrgenmode none
# Keys, and which addresses are behind which peer.
ip netns exec office wg setconf wg0 /dev/stdin <<'EOF'
[Interface]
PrivateKey = qPnHUgO/QACyyTzoiDhd80/zqdBJb+2uqtMrudXFpVg=
ListenPort = 51820

[Peer]
PublicKey = PlbMHEvb8ffbgGPZUL2Ka1P6wh5jMm1pOWjLOL2FUjw=
AllowedIPs = 10.99.0.2/32, 10.2.0.0/24
EOF
ip -n office link set dev wg0 up
ip -n office addr add 10.1.0.254/24 dev lan
ip -n office addr add 198.51.100.2/30 dev wan
ip -n office addr add 10.99.0.1/24 dev wg0
ip -n office route add 10.2.0.0/24 dev wg0
ip -n office route add default via 198.51.100.1

# internet: to-office is the other end of wan in office, to-home is the other end of wan in home.
ip -n internet link set dev lo up
ip -n internet link set dev to-office addrgenmode none
ip -n internet link set dev to-office up
ip -n internet link set dev to-home addrgenmode none
ip -n internet link set dev to-home up
ip -n internet addr add 198.51.100.1/30 dev to-office
ip -n internet addr add 203.0.113.1/30 dev to-home

# home: lan is the other end of eth0 in laptop, wan is the other end of to-home in internet.
ip -n home link set dev lo up
ip -n home link set dev lan addrgenmode none
ip -n home link set dev lan up
ip -n home link set dev wan addrgenmode none
ip -n home link set dev wan up
ip -n home link set dev wg0 addrgenmode none
ip netns exec home wg setconf wg0 /dev/stdin <<'EOF'
[Interface]
PrivateKey = iMkhXVHaIOFXcY0ZL8y3jH/V3U2C3abHFtAiE8X0sU8=

[Peer]
PublicKey = r+LVv35H9f4d0K2kITa6FuBbAlGMVY6DocBa69Fd+hw=
AllowedIPs = 10.99.0.1/32, 10.1.0.0/24
Endpoint = 198.51.100.2:51820
PersistentKeepalive = 25
EOF
ip -n home link set dev wg0 up
ip -n home addr add 10.2.0.254/24 dev lan
ip -n home addr add 203.0.113.2/30 dev wan
ip -n home addr add 10.99.0.2/24 dev wg0
ip -n home route add 10.1.0.0/24 dev wg0
ip -n home route add default via 203.0.113.1

# laptop: eth0 is the other end of lan in home.
ip -n laptop link set dev lo up
ip -n laptop link set dev eth0 addrgenmode none
ip -n laptop link set dev eth0 up
ip -n laptop addr add 10.2.0.1/24 dev eth0
ip -n laptop route add default via 10.2.0.254

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/server
cat > /etc/netns/server/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 server server.wireguard
10.1.0.254 office office.wireguard
198.51.100.2 office office.wireguard
10.99.0.1 office office.wireguard
198.51.100.1 internet internet.wireguard
203.0.113.1 internet internet.wireguard
10.2.0.254 home home.wireguard
203.0.113.2 home home.wireguard
10.99.0.2 home home.wireguard
10.2.0.1 laptop laptop.wireguard
EOF
mkdir -p /etc/netns/office
cat > /etc/netns/office/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 server server.wireguard
10.1.0.254 office office.wireguard
198.51.100.2 office office.wireguard
10.99.0.1 office office.wireguard
198.51.100.1 internet internet.wireguard
203.0.113.1 internet internet.wireguard
10.99.0.2 home home.wireguard
10.2.0.254 home home.wireguard
203.0.113.2 home home.wireguard
10.2.0.1 laptop laptop.wireguard
EOF
mkdir -p /etc/netns/internet
cat > /etc/netns/internet/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 server server.wireguard
198.51.100.2 office office.wireguard
10.1.0.254 office office.wireguard
10.99.0.1 office office.wireguard
198.51.100.1 internet internet.wireguard
203.0.113.1 internet internet.wireguard
203.0.113.2 home home.wireguard
10.2.0.254 home home.wireguard
10.99.0.2 home home.wireguard
10.2.0.1 laptop laptop.wireguard
EOF
mkdir -p /etc/netns/home
cat > /etc/netns/home/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 server server.wireguard
10.99.0.1 office office.wireguard
10.1.0.254 office office.wireguard
198.51.100.2 office office.wireguard
203.0.113.1 internet internet.wireguard
198.51.100.1 internet internet.wireguard
10.2.0.254 home home.wireguard
203.0.113.2 home home.wireguard
10.99.0.2 home home.wireguard
10.2.0.1 laptop laptop.wireguard
EOF
ln -sT server /etc/netns/laptop
