#!/bin/bash
# Lab impaired: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add pc
ip netns add router
ip netns add provider
ip netns add server

# router: settings that new devices take over.
# A router passes on packets that are not for itself.
ip netns exec router sysctl -qw net.ipv4.ip_forward=1
ip netns exec router sysctl -qw net.ipv6.conf.all.forwarding=1

# provider: settings that new devices take over.
ip netns exec provider sysctl -qw net.ipv4.ip_forward=1
ip netns exec provider sysctl -qw net.ipv6.conf.all.forwarding=1

# pc: its devices.
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n pc link add name eth0 numtxqueues 1 numrxqueues 1 type veth peer name lan netns router numtxqueues 1 numrxqueues 1

# router: its devices.
ip -n router link add name line numtxqueues 1 numrxqueues 1 type veth peer name line netns provider numtxqueues 1 numrxqueues 1

# provider: its devices.
ip -n provider link add name sky numtxqueues 1 numrxqueues 1 type veth peer name eth0 netns server numtxqueues 1 numrxqueues 1

# pc: eth0 is the other end of lan in router.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n pc link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n pc link set dev eth0 addrgenmode none
ip -n pc link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n pc addr add 10.1.0.1/24 dev eth0
# Where to send what is on no subnet of the node.
ip -n pc route add default via 10.1.0.254

# router: lan is the other end of eth0 in pc, line is the other end of line in provider.
ip -n router link set dev lo up
ip -n router link set dev lan addrgenmode none
ip -n router link set dev lan up
ip -n router link set dev line addrgenmode none
ip -n router link set dev line up
ip -n router addr add 10.1.0.254/24 dev lan
ip -n router addr add 10.2.0.1/30 dev line
# What leaves here waits until the rate allows it (tbf).
tc -n router qdisc replace dev line root handle 2: tbf rate 1mbit burst 15140b limit 30280b
ip -n router route add default via 10.2.0.2

# provider: line is the other end of line in router, sky is the other end of eth0 in server.
ip -n provider link set dev lo up
ip -n provider link set dev line addrgenmode none
ip -n provider link set dev line up
ip -n provider link set dev sky addrgenmode none
ip -n provider link set dev sky up
ip -n provider addr add 10.2.0.2/30 dev line
ip -n provider addr add 10.3.0.254/24 dev sky
tc -n provider qdisc replace dev line root handle 2: tbf rate 16mbit burst 15140b limit 215140b
# What leaves here is delayed, lost or damaged (netem); what comes in is not.
tc -n provider qdisc replace dev sky root handle 1: netem delay 100ms 10ms loss 1%
ip -n provider route add 10.1.0.0/24 via 10.2.0.1

# server: eth0 is the other end of sky in provider.
ip -n server link set dev lo up
ip -n server link set dev eth0 addrgenmode none
ip -n server link set dev eth0 up
ip -n server addr add 10.3.0.1/24 dev eth0
tc -n server qdisc replace dev eth0 root handle 1: netem delay 100ms 10ms loss 1%
ip -n server route add default via 10.3.0.254

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/pc
cat > /etc/netns/pc/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc pc.impaired
10.1.0.254 router router.impaired
10.2.0.1 router router.impaired
10.2.0.2 provider provider.impaired
10.3.0.254 provider provider.impaired
10.3.0.1 server server.impaired
EOF
ln -sT pc /etc/netns/router
mkdir -p /etc/netns/provider
cat > /etc/netns/provider/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc pc.impaired
10.2.0.1 router router.impaired
10.1.0.254 router router.impaired
10.2.0.2 provider provider.impaired
10.3.0.254 provider provider.impaired
10.3.0.1 server server.impaired
EOF
mkdir -p /etc/netns/server
cat > /etc/netns/server/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.1.0.1 pc pc.impaired
10.1.0.254 router router.impaired
10.2.0.1 router router.impaired
10.3.0.254 provider provider.impaired
10.2.0.2 provider provider.impaired
10.3.0.1 server server.impaired
EOF
