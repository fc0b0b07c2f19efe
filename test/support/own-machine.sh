#!/bin/bash
# own-machine.sh COMMAND...: runs COMMAND as root in what looks to it like a machine of its own: mounts, network, processes, host
# name, cgroups, /run, /etc, /var/lib/nslab. So that two test files can run at the same time and each can ask whether it left the machine as
# it was. All of it is gone when COMMAND has ended. Only where cgroup v1 has the controllers: below the root of cgroup2 a
# group that has processes hands nothing down. Exit status: that of COMMAND; 125 when the machine could not be made.
set -eu

groups=
remove_groups() {
  for group in $groups; do
    echo $$ >"${group%/*}/cgroup.procs" || true
    # Its last processes are still being buried.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
      sleep 0.1
    done
  done
}
trap remove_groups EXIT

hierarchies=$(awk '/ - cgroup2? /{split($0, half, " - "); split(half[2], word, " "); print $5 "|" word[1] "|" word[3]}' /proc/self/mountinfo | sort -u)
while IFS='|' read -r mount _; do
  group=$mount/nslab-test-$$
  mkdir "$group" || exit 125
  groups="$groups $group"
  if [ -e "$group/cpuset.cpus" ]; then
    cat "$mount/cpuset.cpus" >"$group/cpuset.cpus"
    cat "$mount/cpuset.mems" >"$group/cpuset.mems"
  fi
done <<<"$hierarchies"

inside='
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/etc /run/lock /var/lib/nslab
  cp -a /etc/. /run/etc
  rm -rf /run/etc/netns
  mount --bind /run/etc /etc
  mount -t tmpfs -o mode=755 tmpfs /var/lib/nslab
  umount -R -l /sys/fs/cgroup
  mount -t sysfs sysfs /sys
  mount -t tmpfs -o mode=755 cgroup-root /sys/fs/cgroup
  while IFS="|" read -r mount type options; do
    mkdir -p "$mount"
    if [ "$type" = cgroup2 ]; then
      mount -t cgroup2 cgroup2 "$mount"
    else
      names=$(tr , "\n" <<<"$options" | grep -vxE "rw|ro|xattr|release_agent=.*" | paste -sd,)
      mount -t cgroup -o "$names" cgroup "$mount"
    fi
  done <<<"$1"
  shift
  mount --make-rshared /
  ip link set lo up
  exec "$@"'

for group in $groups; do
  # This process goes in, and what it starts is there from the beginning.
  echo $$ >"$group/cgroup.procs" || exit 125
done
status=0
unshare --mount --uts --ipc --net --cgroup --pid --fork --kill-child --mount-proc -- \
  bash -euc "$inside" bash "$hierarchies" "$@" || status=$?
exit $status
