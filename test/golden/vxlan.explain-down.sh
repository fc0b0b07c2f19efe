#!/bin/bash
# Lab vxlan: what `nslab down` does, as commands. Run as root.
# Each goes on where the one before found nothing to remove.

# A process that still runs in a namespace would keep it alive.
for node in web1 web2 machine1 machine2 backbone; do
  ip netns pids "$node" | xargs -r kill -KILL
done

rm -rf /etc/netns/web1
rm -rf /etc/netns/web2
rm -rf /etc/netns/machine1
rm -rf /etc/netns/machine2
rm -rf /etc/netns/backbone
rmdir --ignore-fail-on-non-empty /etc/netns

# Everything in a namespace goes with it, and a wire goes with either of its ends.
ip netns del web1
ip netns del web2
ip netns del machine1
ip netns del machine2
ip netns del backbone
