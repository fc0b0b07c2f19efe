// A machine as buildSpec() and lowerSpec() want to know it, for tests: nothing of it is read from the one that runs them.

import type { BuildHost, HostFacts, LowerFacts } from '../../src/container/host.ts';

export const sampleFacts: HostFacts = {
  envFiles: new Map([['/lab/web.env', '# a comment\nA=file\nB="x y" # not part\nHOME_DIR\n']]),
  devices: new Map([
    [
      '/dev/net/tun',
      [{ path: '/dev/net/tun', type: 'c', major: 10, minor: 200, fileMode: 0o666, uid: 0, gid: 0 }],
    ],
    [
      '/dev/snd',
      [{ path: '/dev/snd/timer', type: 'c', major: 116, minor: 33, fileMode: 0o660, uid: 0, gid: 29 }],
    ],
  ]),
  allDevices: [{ path: '/dev/sda', type: 'b', major: 8, minor: 0, fileMode: 0o660, uid: 0, gid: 6 }],
  maskedPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
  hostKeys: ['/etc/ssh/ssh_host_ed25519_key'],
};

export const sampleHost: BuildHost = {
  lab: 'lab',
  folder: '/lab',
  run: '/run/nslab/labs/lab/containers/web',
  var: '/var/lib/nslab/containers/lab/web',
  volumes: '/var/lib/nslab/volumes',
  netnsPath: (netns) => `/run/nslab/labs/lab/netns/${netns}`,
  usernsPath: (netns) => `/run/nslab/labs/lab/netns/.user/${netns}`,
  etc: { hosts: '/run/nslab/labs/lab/etc/0/hosts' },
  env: { HOME: '/home/me', HOME_DIR: 'from outside' },
  facts: sampleFacts,
};

/** All of the 41 but SYS_RESOURCE, as in a container of a build machine. */
export const sampleCapabilities = 0x1ff_ffff_ffffn & ~(1n << 24n);

export const sampleLowerFacts: LowerFacts = {
  process: { capabilities: sampleCapabilities, hardLimits: new Map([['RLIMIT_NOFILE', 20000]]) },
  accounts: {
    passwd: 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/false\n',
    group: 'root:x:0:\nwww:x:33:\nadm:x:4:www,other\nlog:x:5:www\n',
  },
  cgroup: {
    join: [
      { directory: '/sys/fs/cgroup/memory/nslab/lab/web', version: 1 },
      { directory: '/sys/fs/cgroup/unified/nslab/lab/web', version: 2 },
    ],
    oom: '/sys/fs/cgroup/memory/nslab/lab/web/memory.oom_control',
    freezer: { directory: '/sys/fs/cgroup/unified/nslab/lab/web', version: 2 },
    mounts: [
      { name: 'memory', fstype: 'cgroup', options: ['memory'] },
      { name: 'unified', fstype: 'cgroup2', options: [] },
    ],
  },
  seccomp: { flags: 0, filter: new Uint8Array(16) },
};
