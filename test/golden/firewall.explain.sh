#!/bin/bash
# Lab firewall: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add inside
ip netns add outside
ip netns add fw

# fw: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec fw sysctl -qw net.ipv4.ip_forward=1
ip netns exec fw sysctl -qw net.ipv6.conf.all.forwarding=1

# inside: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n inside link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name lan netns fw numtxqueues 1 numrxqueues 1

# outside: its devices.
ip -n outside link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name wan netns fw numtxqueues 1 numrxqueues 1

# inside: eth0 is the other end of lan in fw.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n inside link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n inside link set dev eth0 addrgenmode none
ip -n inside link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n inside addr add 10.1.1.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n inside route add default via 10.1.1.254

# outside: eth0 is the other end of wan in fw.
ip -n outside link set dev lo up
ip -n outside link set dev eth0 addrgenmode none
ip -n outside link set dev eth0 up
ip -n outside addr add 198.51.100.1/24 dev eth0
ip -n outside route add 10.1.1.0/24 via 198.51.100.254

# fw: lan is the other end of eth0 in inside, wan is the other end of eth0 in outside.
ip -n fw link set dev lo up
ip -n fw link set dev lan addrgenmode none
ip -n fw link set dev lan up
ip -n fw link set dev wan addrgenmode none
ip -n fw link set dev wan up
ip -n fw addr add 10.1.1.254/24 dev lan
ip -n fw addr add 198.51.100.254/24 dev wan
# NAT and firewall: one nft table holds both, and is removed as one.
ip netns exec fw nft -f - <<'EOF'
table inet nslab {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established accept
		iifname "lo" accept
		iifname "lan" meta l4proto icmp accept comment "the inside may ping the firewall"
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related counter accept comment "answers"
		ct state invalid drop
		iifname "lan" oifname "wan" ct state new tcp dport { 80, 443 } counter accept comment "the web"
		iifname "lan" oifname "wan" icmp type echo-request accept comment "pings outwards"
		iifname "lan" tcp dport 25 counter reject with icmpx port-unreachable comment "no mail from here"
		iifname "wan" counter drop comment "nobody comes in"
	}
}
EOF

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/inside
cat > /etc/netns/inside/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 inside inside.firewall
198.51.100.1 outside outside.firewall
10.1.1.254 fw fw.firewall
198.51.100.254 fw fw.firewall
EOF
mkdir -p /etc/netns/outside
cat > /etc/netns/outside/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.1.1 inside inside.firewall
198.51.100.1 outside outside.firewall
198.51.100.254 fw fw.firewall
10.1.1.254 fw fw.firewall
EOF
ln -sT inside /etc/netns/fw

# The commands of the file.
ip netns exec inside /bin/sh -c 'setsid -f node -e '\'' const http = require("node:http"); for (const port of [25, 80, 81]) http.createServer((q, a) => a.end("hello\n")).listen(port); '\'' </dev/null >/dev/null 2>&1'
ip netns exec outside /bin/sh -c 'setsid -f node -e '\'' const http = require("node:http"); for (const port of [25, 80, 81]) http.createServer((q, a) => a.end("hello\n")).listen(port); '\'' </dev/null >/dev/null 2>&1'
