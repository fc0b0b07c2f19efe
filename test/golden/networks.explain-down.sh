#!/bin/bash
# Lab networks: what `nslab down` does, as commands. Run as root.
# Nothing to remove is as good: on a machine without the lab it does nothing.

# The containers web, db, proxy were not started by a script; nslab down ends them.

# A process that still runs in a namespace would keep it alive.
for node in web db proxy outside; do
  [ ! -e "/run/netns/$node" ] || ip netns pids "$node" | xargs -r kill -KILL
done

! nft list table inet nslab-networks >/dev/null 2>&1 || nft delete table inet nslab-networks

# The devices of the lab in the machine itself carry its group.
[ -z "$(ip link show group 2046591931)" ] || ip link del group 2046591931

rm -rf /etc/netns/web
rm -rf /etc/netns/db
rm -rf /etc/netns/proxy
rm -rf /etc/netns/outside
[ ! -d /etc/netns ] || rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
for node in web db proxy outside; do
  [ ! -e "/run/netns/$node" ] || ip netns del "$node"
done
