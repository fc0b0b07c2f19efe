#!/bin/bash
# Lab vxlan: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in web1 web2 machine1 machine2 backbone; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/web1
rm -rf /etc/netns/web2
rm -rf /etc/netns/machine1
rm -rf /etc/netns/machine2
rm -rf /etc/netns/backbone
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in web1 web2 machine1 machine2 backbone; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
