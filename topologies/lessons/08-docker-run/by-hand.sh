#!/bin/bash
# What `docker run` does, with unshare(1), mount(8), ip(8) and the files of cgroupfs, one step after the other:
#   nslab image build-base; ./by-hand.sh sh -c 'hostname; ps; ip -br addr; mount | head -3'
# Needs root and the image `base`; everything is gone when the command ends.
set -eu
[ $# -gt 0 ] || set -- sh
work=$(mktemp -d /run/by-hand.XXXXXX)
group=by-hand

clean() {
  ip netns del by-hand 2>/dev/null || true
  rmdir /sys/fs/cgroup/memory/$group /sys/fs/cgroup/$group 2>/dev/null || true
  umount "$work/root" 2>/dev/null || true
  rm -rf "$work"
}
trap clean EXIT

# 1. The files. An image is a list of layers, each a folder of files; overlayfs shows them as one tree, and keeps what is
#    written in a folder of this container (upperdir). The layers stay as they are.
mkdir "$work"/{layer,upper,work,root}
nslab create --name by-hand-files --network none base true >/dev/null
nslab export by-hand-files | tar -xC "$work/layer"
nslab rm by-hand-files >/dev/null
mount -t overlay overlay -o "lowerdir=$work/layer,upperdir=$work/upper,workdir=$work/work" "$work/root"

# 2. The network namespace, with a wire into it, made before the process as nslab does (Docker: before the command).
ip netns add by-hand
ip link add byhand0 type veth peer name eth0 netns by-hand
ip addr add 10.88.0.1/30 dev byhand0
ip link set byhand0 up
ip -n by-hand addr add 10.88.0.2/30 dev eth0
ip -n by-hand link set lo up
ip -n by-hand link set eth0 up

# 3. The cgroup: a folder; the limit: a number in a file. The first path is cgroup v1, the second v2.
if [ -d /sys/fs/cgroup/memory ]; then
  cgroup=/sys/fs/cgroup/memory/$group limit=memory.limit_in_bytes
else
  cgroup=/sys/fs/cgroup/$group limit=memory.max
fi
mkdir "$cgroup"
echo 64M > "$cgroup/$limit"

# 4. The namespaces. unshare(2) with CLONE_NEWNS, NEWUTS, NEWIPC, NEWCGROUP and NEWPID, and a fork: only a child is in the new pid
#    namespace, as its process 1. What follows runs there.
export work cgroup
nsenter --net=/run/netns/by-hand unshare --mount --uts --ipc --cgroup --pid --fork --kill-child -- bash -euc '
  echo 0 > "$cgroup/cgroup.procs"       # 5. Into the cgroup: whoever is born from here on is in it too.
  hostname box1                         # 6. A name, in the new uts namespace.
  mount --make-rprivate /               # 7. What is mounted here is not mounted there,
  mount --bind "$work/root" "$work/root"
  cd "$work/root"
  mount -t proc proc proc               #    and /proc shows the pid namespace of who mounts it.
  mount -t sysfs -o ro sysfs sys
  mkdir -p .old
  pivot_root . .old                     # 8. The new root. chroot(2) would leave the old one in reach; here it is unmounted.
  cd /
  umount -l /.old
  rmdir /.old
  # 9. The rights: docker run also gives up all but 14 of 41 capabilities and puts a seccomp filter in place. No tool of the
  #    image can, so this container keeps them all: the step that is left out.
  exec "$@"                             # 10. And the command takes the place of this shell, as process 1.
' bash "$@"
