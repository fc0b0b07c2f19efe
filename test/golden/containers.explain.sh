#!/bin/bash
# Lab containers: what `nslab up` does, as commands. Run as root.
set -e

# The nodes: a network namespace each.
ip netns add sw
ip netns add db
ip netns add app

# sw: settings that new devices take over.
# Ports of a switch need no IPv6: 1 is none, no link-local address.
ip netns exec sw sysctl -qw net.ipv6.conf.default.addr_gen_mode=1

# db: settings that new devices take over.
ip netns exec db sysctl -qw net.ipv4.ip_unprivileged_port_start=0
ip netns exec db sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'

# app: settings that new devices take over.
ip netns exec app sysctl -qw net.ipv4.ip_unprivileged_port_start=0
ip netns exec app sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'

# sw: its devices.
# A bridge is a switch; what has it as master is a port.
ip -n sw link add name br0 up type bridge
# A wire is a pair of veth devices: the first end is born here, its peer in the namespace that is named.
ip -n sw link add name p1 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns db numtxqueues 1 numrxqueues 1
ip -n sw link add name p2 numtxqueues 1 numrxqueues 1 master br0 up type veth peer name eth0 netns app numtxqueues 1 numrxqueues 1

# sw: p1 is the other end of eth0 in db, p2 is the other end of eth0 in app.
# lo is down in a new namespace, and without it a node cannot reach itself.
ip -n sw link set dev lo up

# db: eth0 is the other end of p1 in sw.
ip -n db link set dev lo up
# No IPv6 is asked for here: without a link-local address the interface has nothing to announce.
ip -n db link set dev eth0 addrgenmode none
ip -n db link set dev eth0 up
# An address, and with its length the route to its subnet.
ip -n db addr add 10.6.0.1/24 dev eth0

# app: eth0 is the other end of p2 in sw.
ip -n app link set dev lo up
ip -n app link set dev eth0 addrgenmode none
ip -n app link set dev eth0 up
ip -n app addr add 10.6.0.2/24 dev eth0

# Names: `ip netns exec` shows the files of /etc/netns/NODE as those of /etc.
# Nodes that see the lab alike share one folder.
mkdir -p /etc/netns/sw
cat > /etc/netns/sw/hosts <<'EOF'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.6.0.1 db db.containers
10.6.0.2 app app.containers
EOF
ln -sT sw /etc/netns/db
ln -sT sw /etc/netns/app

# The containers. No single command starts one, so this script only says what they are.
# db is a container. nslab would, in this order:
#   make its cgroups nslab/containers/db and write the limits there;
#   unshare(1) --mount --uts --ipc --pid --cgroup, and join the network of /run/netns/db;
#   mount an overlay as its root, /proc, /sys, /dev and its own mounts in it, and pivot_root(8) into it;
#   drop capabilities, set no_new_privs, load the seccomp filter;
#   run sh -c 'echo ready > /tmp/state; echo the database is ready; exec sleep infinity' on a copy of the files of the host
#     memory: 100MB
#     pids: 50
#     healthcheck: {"test":["CMD","grep","-q","ready","/tmp/state"],"interval":"1s","start_period":"5s","start_interval":"100ms"}
# app: not before db is healthy.
# app is a container. nslab would, in this order:
#   make its cgroups nslab/containers/app and write the limits there;
#   unshare(1) --mount --uts --ipc --pid --cgroup, and join the network of /run/netns/app;
#   mount an overlay as its root, /proc, /sys, /dev and its own mounts in it, and pivot_root(8) into it;
#   drop capabilities, set no_new_privs, load the seccomp filter;
#   run sleep infinity on a copy of the files of the host
#     env: {"DB":"db"}
#     hostname: application
#     cpu: 0.5
#     memory: 64MB
#     init: true
#     restart: on-failure:3
