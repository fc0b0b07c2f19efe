#!/bin/bash
# Lab dnat: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add client
ip netns add internet
ip netns add gw
ip netns add web

# internet: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec internet sysctl -qw net.ipv4.ip_forward=1
ip netns exec internet sysctl -qw net.ipv6.conf.all.forwarding=1

# gw: settings that new devices take over.
ip netns exec gw sysctl -qw net.ipv4.ip_forward=1
ip netns exec gw sysctl -qw net.ipv6.conf.all.forwarding=1

# client: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n client link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name clients netns internet numtxqueues 1 numrxqueues 1

# internet: its devices.
ip -n internet link add name customer numtxqueues 1 numrxqueues 1 type veth peer name uplink netns gw numtxqueues 1 numrxqueues 1

# gw: its devices.
ip -n gw link add name lan numtxqueues 1 numrxqueues 1 type veth peer name eth0 netns web numtxqueues 1 numrxqueues 1

# client: eth0 is the other end of clients in internet.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n client link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n client link set dev eth0 addrgenmode none
ip -n client link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n client addr add 203.0.113.9/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n client route add default via 203.0.113.1

# internet: clients is the other end of eth0 in client, customer is the other end of uplink in gw.
ip -n internet link set dev lo up
ip -n internet link set dev clients addrgenmode none
ip -n internet link set dev clients up
ip -n internet link set dev customer addrgenmode none
ip -n internet link set dev customer up
ip -n internet addr add 203.0.113.1/24 dev clients
ip -n internet addr add 198.51.100.1/30 dev customer

# gw: uplink is the other end of customer in internet, lan is the other end of eth0 in web.
ip -n gw link set dev lo up
ip -n gw link set dev uplink addrgenmode none
ip -n gw link set dev uplink up
ip -n gw link set dev lan addrgenmode none
ip -n gw link set dev lan up
ip -n gw addr add 198.51.100.2/30 dev uplink
ip -n gw addr add 10.1.1.254/24 dev lan
ip -n gw route add default via 198.51.100.1
# NAT and firewall: one nft table holds both, and is removed as one.
ip netns exec gw nft -f - <<'EOF'
table inet nslab {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		iifname "uplink" tcp dport 8080 dnat ip to 10.1.1.10:80
		iifname "uplink" tcp dport 9000-9009 dnat ip to 10.1.1.10
		iifname "uplink" udp dport 5353 dnat ip to 10.1.1.10:53
	}
}
EOF

# web: eth0 is the other end of lan in gw.
ip -n web link set dev lo up
ip -n web link set dev eth0 addrgenmode none
ip -n web link set dev eth0 up
ip -n web addr add 10.1.1.10/24 dev eth0
ip -n web route add default via 10.1.1.254

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/client
cat > /etc/netns/client/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
203.0.113.9 client client.dnat
203.0.113.1 internet internet.dnat
198.51.100.1 internet internet.dnat
198.51.100.2 gw gw.dnat
10.1.1.254 gw gw.dnat
10.1.1.10 web web.dnat
EOF
ln -sT client /etc/netns/internet
mkdir -p /etc/netns/gw
cat > /etc/netns/gw/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
203.0.113.9 client client.dnat
198.51.100.1 internet internet.dnat
203.0.113.1 internet internet.dnat
198.51.100.2 gw gw.dnat
10.1.1.254 gw gw.dnat
10.1.1.10 web web.dnat
EOF
mkdir -p /etc/netns/web
cat > /etc/netns/web/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
203.0.113.9 client client.dnat
203.0.113.1 internet internet.dnat
198.51.100.1 internet internet.dnat
10.1.1.254 gw gw.dnat
198.51.100.2 gw gw.dnat
10.1.1.10 web web.dnat
EOF

# The commands of the file.
ip netns exec web /bin/sh -c 'setsid -f node -e '\'' const http = require("node:http"), dgram = require("node:dgram"); const hello = (q, a) => a.end("web says hello to " + q.socket.remoteAddress + "\n"); for (const port of [80, 9000, 9004, 9009, 9010]) http.createServer(hello).listen(port, "0.0.0.0"); const names = dgram.createSocket("udp4").bind(53); names.on("message", (text, { port, address }) => names.send(text, port, address)); '\'' </dev/null >/dev/null 2>&1'
