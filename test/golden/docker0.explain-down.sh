#!/bin/bash
# Lab docker0: what `nslab down` does, as commands. Run as root.
# Each goes on where the one before found nothing to remove.

# A process that still runs in a namespace would keep it alive.
for node in c1 c2 internet; do
  ip netns pids "$node" | xargs -r kill -KILL
done

nft delete table inet nslab-docker0

# The devices of the lab in the machine itself carry its group.
ip link del group 1124113242

rm -rf /etc/netns/c1
rm -rf /etc/netns/c2
rm -rf /etc/netns/internet
rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
ip netns del c1
ip netns del c2
ip netns del internet
