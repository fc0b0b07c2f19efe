#!/bin/bash
# Lab two-namespaces: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# A process that still runs in a namespace would keep it alive.
for node in test_ns; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

# The devices of the lab in the machine itself carry its group.
[ -z "$(ip link show group 1129116781)" ] || ip link del group 1129116781

rm -rf /etc/netns/test_ns
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in test_ns; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
