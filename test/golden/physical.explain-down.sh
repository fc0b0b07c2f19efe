#!/bin/bash
# Lab physical: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in box pc; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

# The network card goes home; its addresses and routes there have to be added again.
if [ -e /run/netns/box ]; then
  ip -n box link set dev lan0 down
  ip -n box link set dev lan0 netns $$ name eth1
  ip link set dev eth1 up
fi

rm -rf /etc/netns/box
rm -rf /etc/netns/pc
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in box pc; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
