#!/bin/bash
# Lab dnat: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in client internet gw web; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/client
rm -rf /etc/netns/internet
rm -rf /etc/netns/gw
rm -rf /etc/netns/web
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in client internet gw web; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
