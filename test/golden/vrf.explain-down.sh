#!/bin/bash
# Lab vrf: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in red1 redserver blue1 blueserver router; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/red1
rm -rf /etc/netns/redserver
rm -rf /etc/netns/blue1
rm -rf /etc/netns/blueserver
rm -rf /etc/netns/router
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in red1 redserver blue1 blueserver router; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
