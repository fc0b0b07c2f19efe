#!/bin/bash
# Lab docker0: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in c1 c2 internet; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

! nft list table inet nslab-docker0 >/dev/null 2>&1 || nft delete table inet nslab-docker0

# The devices of the lab in the machine itself carry its group.
[ -z "$(ip link show group 1124113242)" ] || ip link del group 1124113242

rm -rf /etc/netns/c1
rm -rf /etc/netns/c2
rm -rf /etc/netns/internet
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in c1 c2 internet; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
