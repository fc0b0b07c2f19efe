#!/bin/bash
# Lab vrf: what `nslab down` does, as commands. Run as root.
# Each goes on where the one before found nothing to remove.

# A process that still runs in a namespace would keep it alive.
for node in red1 redserver blue1 blueserver router; do
  ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/red1
rm -rf /etc/netns/redserver
rm -rf /etc/netns/blue1
rm -rf /etc/netns/blueserver
rm -rf /etc/netns/router
rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
ip netns del red1
ip netns del redserver
ip netns del blue1
ip netns del blueserver
ip netns del router
