#!/bin/bash
# Lab vlan: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in sw1 sw2 sales1 sales2 tech1 tech2 router; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/sw1
rm -rf /etc/netns/sw2
rm -rf /etc/netns/sales1
rm -rf /etc/netns/sales2
rm -rf /etc/netns/tech1
rm -rf /etc/netns/tech2
rm -rf /etc/netns/router
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in sw1 sw2 sales1 sales2 tech1 tech2 router; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
