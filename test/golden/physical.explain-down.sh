#!/bin/bash
# Lab physical: what `nslab down` does, as commands. Run as root.
# Each goes on where the one before found nothing to remove.

# A process that still runs in a namespace would keep it alive.
for node in box pc; do
  ip netns pids "$node" | xargs -r kill -KILL
done

# The network card goes home; its addresses and routes there have to be added again.
ip -n box link set dev lan0 down
ip -n box link set dev lan0 netns $$ name eth1
ip link set dev eth1 up

rm -rf /etc/netns/box
rm -rf /etc/netns/pc
rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
ip netns del box
ip netns del pc
