#!/bin/bash
# Lab nat: what `nslab down` does, as commands. Run as root.
# Each goes on where the one before found nothing to remove.

# A process that still runs in a namespace would keep it alive.
for node in pc1 pc2 sw gw outside; do
  ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/pc1
rm -rf /etc/netns/pc2
rm -rf /etc/netns/sw
rm -rf /etc/netns/gw
rm -rf /etc/netns/outside
rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
ip netns del pc1
ip netns del pc2
ip netns del sw
ip netns del gw
ip netns del outside
