#!/bin/bash
# Lab containers: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# The containers db, app were not started by a script; nslab down ends them.

# A process that still runs in a namespace would keep it alive.
for node in sw db app; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/sw
rm -rf /etc/netns/db
rm -rf /etc/netns/app
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in sw db app; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
