#!/bin/bash
# Lab networks: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add web
ip netns add db
ip netns add proxy
ip netns add outside

# web: settings that new devices take over.
ip netns exec web sysctl -qw net.ipv4.ip_unprivileged_port_start=0
ip netns exec web sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'

# db: settings that new devices take over.
ip netns exec db sysctl -qw net.ipv4.ip_unprivileged_port_start=0
ip netns exec db sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'

# proxy: settings that new devices take over.
ip netns exec proxy sysctl -qw net.ipv4.ip_unprivileged_port_start=0
ip netns exec proxy sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'

# host: its devices.
# A bridge is a switch; what has it as master is a port.
ip link add name br-networ-f30a7 group 2046591931 type bridge
ip link property add dev br-networ-f30a7 altname br-networks-front
ip link add name br-networ-45757 group 2046591931 type bridge
ip link property add dev br-networ-45757 altname br-networks-back
ip link add name br-networks group 2046591931 type bridge
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip link add name ve-web-a0a9d numtxqueues 1 numrxqueues 1 group 2046591931 master br-networ-f30a7 type veth peer name eth0 netns web numtxqueues 1 numrxqueues 1
ip link add name ve-web-3cc55 numtxqueues 1 numrxqueues 1 group 2046591931 master br-networ-45757 type veth peer name eth1 netns web numtxqueues 1 numrxqueues 1
ip link add name ve-db-7d9d4 numtxqueues 1 numrxqueues 1 group 2046591931 master br-networ-45757 type veth peer name eth0 netns db numtxqueues 1 numrxqueues 1
ip link add name ve-proxy-86a70 numtxqueues 1 numrxqueues 1 group 2046591931 master br-networks type veth peer name eth0 netns proxy numtxqueues 1 numrxqueues 1
ip link add name outside0 numtxqueues 1 numrxqueues 1 group 2046591931 type veth peer name eth0 netns outside numtxqueues 1 numrxqueues 1

# web: eth0 is the other end of ve-web-a0a9d in host, eth1 is the other end of ve-web-3cc55 in host.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n web link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n web link set dev eth0 addrgenmode none
ip -n web link set dev eth0 up
ip -n web link set dev eth1 addrgenmode none
ip -n web link set dev eth1 up
# An address, and with its length the route to its subnet.
ip -n web addr add 10.8.1.2/24 dev eth0
ip -n web addr add 10.8.2.1/24 dev eth1
# Where to send what is on no subnet of the node.
ip -n web route add default via 10.8.1.1 dev eth0

# db: eth0 is the other end of ve-db-7d9d4 in host.
ip -n db link set dev lo up
ip -n db link set dev eth0 addrgenmode none
ip -n db link set dev eth0 up
ip -n db addr add 10.8.2.10/24 dev eth0

# proxy: eth0 is the other end of ve-proxy-86a70 in host.
ip -n proxy link set dev lo up
ip -n proxy link set dev eth0 addrgenmode none
ip -n proxy link set dev eth0 up
ip -n proxy addr add 10.8.3.2/24 dev eth0
ip -n proxy route add default via 10.8.3.1 dev eth0

# outside: eth0 is the other end of outside0 in host.
ip -n outside link set dev lo up
ip -n outside link set dev eth0 addrgenmode none
ip -n outside link set dev eth0 up
ip -n outside addr add 203.0.113.2/24 dev eth0

# host: outside0 is the other end of eth0 in outside, ve-web-a0a9d is the other end of eth0 in web, ve-web-3cc55 is the other end of eth1 in web, ve-db-7d9d4 is the other end of eth0 in db (5 wires end here).
ip link set dev outside0 addrgenmode none
# A router passes on packets that are not for itself.
sysctl -qw net.ipv4.conf.outside0.forwarding=1
ip link set dev outside0 up
ip link set dev ve-web-a0a9d addrgenmode none
# How the bridge treats this port.
bridge link set dev ve-web-a0a9d hairpin on
ip link set dev ve-web-a0a9d up
ip link set dev br-networ-f30a7 addrgenmode none
sysctl -qw net.ipv4.conf.br-networ-f30a7.forwarding=1
ip link set dev br-networ-f30a7 up
ip link set dev ve-web-3cc55 addrgenmode none
bridge link set dev ve-web-3cc55 hairpin on
ip link set dev ve-web-3cc55 up
ip link set dev ve-db-7d9d4 addrgenmode none
ip link set dev ve-db-7d9d4 up
ip link set dev br-networ-45757 addrgenmode none
sysctl -qw net.ipv4.conf.br-networ-45757.forwarding=1
ip link set dev br-networ-45757 up
ip link set dev ve-proxy-86a70 addrgenmode none
ip link set dev ve-proxy-86a70 up
ip link set dev br-networks addrgenmode none
sysctl -qw net.ipv4.conf.br-networks.forwarding=1
ip link set dev br-networks up
ip addr add 203.0.113.1/24 dev outside0
ip addr add 10.8.1.1/24 dev br-networ-f30a7
ip addr add 10.8.2.254/24 dev br-networ-45757
ip addr add 10.8.3.1/24 dev br-networks
# NAT and firewall: one nft table holds both, and is removed as one.
nft -f - <<'EOF'
table inet nslab-networks {
	chain prerouting-web {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 8080 dnat ip to 10.8.1.2:80
		ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 9000-9002 dnat ip to 10.8.1.2
	}

	chain output-web {
		type nat hook output priority -100; policy accept;
		ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 8080 dnat ip to 10.8.1.2:80
		ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 9000-9002 dnat ip to 10.8.1.2
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.8.1.0/24 ip daddr 10.8.1.0/24 ct status dnat masquerade
		ip saddr 10.8.1.0/24 oifname != "br-networ-f30a7" masquerade
		ip saddr 10.8.3.0/24 oifname != "br-networks" masquerade
	}

	chain networks {
		type filter hook forward priority filter; policy accept;
		oifname "br-networ-f30a7" iifname != "br-networ-f30a7" ct state established,related accept
		oifname "br-networ-f30a7" iifname != "br-networ-f30a7" ct status dnat accept
		oifname "br-networ-f30a7" iifname != "br-networ-f30a7" reject with icmpx admin-prohibited
		oifname "br-networ-45757" iifname != "br-networ-45757" reject with icmpx admin-prohibited
		iifname "br-networ-45757" oifname != "br-networ-45757" reject with icmpx admin-prohibited
		oifname "br-networks" iifname != "br-networks" ct state established,related accept
		oifname "br-networks" iifname != "br-networks" ct status dnat accept
		oifname "br-networks" iifname != "br-networks" reject with icmpx admin-prohibited
	}
}
EOF

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/web
cat > /etc/netns/web/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.8.1.2 web web.networks
10.8.2.1 web web.networks
10.8.2.10 db db.networks database
10.8.3.2 proxy proxy.networks
203.0.113.2 outside outside.networks
10.8.1.1 host host.networks
10.8.2.254 host host.networks
203.0.113.1 host host.networks
10.8.3.1 host host.networks
EOF
mkdir -p /etc/netns/db
cat > /etc/netns/db/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.8.2.1 web web.networks
10.8.1.2 web web.networks
10.8.2.10 db db.networks database
10.8.3.2 proxy proxy.networks
203.0.113.2 outside outside.networks
10.8.2.254 host host.networks
203.0.113.1 host host.networks
10.8.1.1 host host.networks
10.8.3.1 host host.networks
EOF
mkdir -p /etc/netns/proxy
cat > /etc/netns/proxy/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.8.1.2 web web.networks
10.8.2.1 web web.networks
10.8.2.10 db db.networks
10.8.3.2 proxy proxy.networks
203.0.113.2 outside outside.networks
10.8.3.1 host host.networks
203.0.113.1 host host.networks
10.8.1.1 host host.networks
10.8.2.254 host host.networks
EOF
mkdir -p /etc/netns/outside
cat > /etc/netns/outside/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.8.1.2 web web.networks
10.8.2.1 web web.networks
10.8.2.10 db db.networks
10.8.3.2 proxy proxy.networks
203.0.113.2 outside outside.networks
203.0.113.1 host host.networks
10.8.1.1 host host.networks
10.8.2.254 host host.networks
10.8.3.1 host host.networks
EOF

# The containers. No single command starts one, so this script only says what they are.
# web is a container. nslab would, in this order:
#   make its cgroups nslab/networks/web and write the limits there;
#   unshare(1) --mount --uts --ipc --pid --cgroup, and join the network of /run/netns/web;
#   mount an overlay as its root, /proc, /sys, /dev and its own mounts in it, and pivot_root(8) into it;
#   drop capabilities, set no_new_privs, load the seccomp filter;
#   run node -e 'const http = require("node:http"), dgram = require("node:dgram"); const hello = (q, a) => a.end("web says hello to " + q.socket.remoteAddress + "\n"); for (const port of [80, 9000, 9001, 9002]) http.createServer(hello).listen(port, "0.0.0.0"); const names = dgram.createSocket("udp4").bind(53); names.on("message", (text, { port, address }) => names.send(text, port, address)); ' on a copy of the files of the host
#     init: true
#     listen at 0.0.0.0:8080/tcp for 10.8.1.2:80
#     listen at [::]:8080/tcp for 10.8.1.2:80
#     listen at 127.0.0.1:5353/udp for 10.8.1.2:53
#     listen at 0.0.0.0:9000-9002/tcp for 10.8.1.2:9000-9002
#     listen at [::]:9000-9002/tcp for 10.8.1.2:9000-9002
# db is a container. nslab would, in this order:
#   make its cgroups nslab/networks/db and write the limits there;
#   unshare(1) --mount --uts --ipc --pid --cgroup, and join the network of /run/netns/db;
#   mount an overlay as its root, /proc, /sys, /dev and its own mounts in it, and pivot_root(8) into it;
#   drop capabilities, set no_new_privs, load the seccomp filter;
#   run its own command on a copy of the files of the host
# proxy is a container. nslab would, in this order:
#   make its cgroups nslab/networks/proxy and write the limits there;
#   unshare(1) --mount --uts --ipc --pid --cgroup, and join the network of /run/netns/proxy;
#   mount an overlay as its root, /proc, /sys, /dev and its own mounts in it, and pivot_root(8) into it;
#   drop capabilities, set no_new_privs, load the seccomp filter;
#   run its own command on a copy of the files of the host
