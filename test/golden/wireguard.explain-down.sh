#!/bin/bash
# Lab wireguard: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in server office internet home laptop; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/server
rm -rf /etc/netns/office
rm -rf /etc/netns/internet
rm -rf /etc/netns/home
rm -rf /etc/netns/laptop
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in server office internet home laptop; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
