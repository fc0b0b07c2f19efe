#!/bin/bash
# Lab dual-stack: what `nslab down` does, as commands. Run as root.
# Each goes on where the one before found nothing to remove.

# A process that still runs in a namespace would keep it alive.
for node in pc1 router pc2; do
  ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/pc1
rm -rf /etc/netns/router
rm -rf /etc/netns/pc2
rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
ip netns del pc1
ip netns del router
ip netns del pc2
