#!/bin/bash
# Lab policy-routing: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in staff guest gw provider1 provider2 server; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/staff
rm -rf /etc/netns/guest
rm -rf /etc/netns/gw
rm -rf /etc/netns/provider1
rm -rf /etc/netns/provider2
rm -rf /etc/netns/server
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in staff guest gw provider1 provider2 server; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
