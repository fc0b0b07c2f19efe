#!/bin/bash
# Lab two-namespaces: what `nslab down` does, as commands. Run as root.
# Each goes on where the one before found nothing to remove.

# A process that still runs in a namespace would keep it alive.
for node in test_ns; do
  ip netns pids "$node" | xargs -r kill -KILL
done

# The devices of the lab in the machine itself carry its group.
ip link del group 1129116781

rm -rf /etc/netns/test_ns
rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
ip netns del test_ns
