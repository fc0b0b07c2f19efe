// `nslab doctor`: whether this machine can do what nslab needs, and how to mend what it cannot. Pure: facts in, findings out.
// `fail` is what no lab comes up without, `warn` what some labs need or what gets in their way.

import { moduleOfDevice } from '../kernel/probe.ts';
import type { DoctorFacts, ModuleState } from './doctor-facts.ts';
import { kinds, tools } from './doctor-facts.ts';

export type Status = 'ok' | 'warn' | 'fail';

export type Finding = {
  readonly area: 'kernel' | 'devices' | 'cgroups' | 'security' | 'network' | 'tools' | 'nslab' | 'left';
  /** What was looked at. */
  readonly name: string;
  readonly status: Status;
  /** What was found. */
  readonly detail: string;
  /** What to do, where it is not ok. */
  readonly mend?: string;
};

/** Everything that was looked at, what is well among it. */
export function diagnose(facts: DoctorFacts): Finding[] {
  return [
    ...kernelFindings(facts),
    ...deviceFindings(facts),
    ...cgroupFindings(facts),
    ...securityFindings(facts),
    ...networkFindings(facts),
    ...toolFindings(facts),
    ...nslabFindings(facts),
    ...leftFindings(facts),
  ];
}

/** openat2(2) and clone3(2) into a cgroup are of 5.7 at the latest. */
const OLDEST = [5, 7] as const;
/** Layers of images mounted with other ids: overlayfs takes idmapped mounts since then. */
const WANTED = [5, 19] as const;

function isOlder(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, a = '0', b = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(a) < major || (Number(a) === major && Number(b) < minor);
}

function kernelFindings(facts: DoctorFacts): Finding[] {
  const { release, probe, isRoot, namespaces, fileSystems } = facts;
  const area = 'kernel';
  const found: Finding[] = [
    isRoot
      ? { area, name: 'root', status: 'ok', detail: 'yes' }
      : {
          area,
          name: 'root',
          status: 'fail',
          detail: 'nslab makes namespaces, which needs root; less was looked at',
          mend: 'sudo nslab doctor',
        },
    version(release),
  ];
  if (isRoot && probe === undefined)
    found.push({
      area,
      name: 'network namespaces',
      status: 'fail',
      detail: 'none can be made',
      mend: 'in a container or a sandbox, allow unshare(2), setns(2) and mount(2)',
    });
  const nft = moduleOf(facts.modules['nf_tables'], probe?.nftables);
  found.push({
    area,
    name: 'nf_tables',
    ...(nft ?? {
      status: 'warn',
      detail: 'missing: no NAT, firewall or network of containers',
      mend: modprobe('nf_tables'),
    }),
  });
  const overlay = fileSystems.includes('overlay')
    ? ({ status: 'ok', detail: 'yes' } as const)
    : moduleOf(facts.modules['overlay'], false);
  found.push({
    area,
    name: 'overlayfs',
    ...(overlay ?? {
      status: 'warn',
      detail: 'missing: files of containers are copied',
      mend: modprobe('overlay'),
    }),
  });
  const netem = moduleOf(facts.modules['sch_netem'], probe?.netem);
  found.push({
    area,
    name: 'netem',
    ...(netem ?? {
      status: 'warn',
      detail: 'missing: no delay and no loss on wires',
      mend: modprobe('sch_netem'),
    }),
  });
  for (const [name, file, use] of [
    ['time namespaces', 'time', '`time_offsets`'],
    ['cgroup namespaces', 'cgroup', 'containers'],
  ] as const) {
    const has = namespaces.includes(file);
    found.push(
      has
        ? { area, name, status: 'ok', detail: 'yes' }
        : { area, name, status: 'warn', detail: `missing: no ${use}`, mend: 'a kernel that has them' },
    );
  }
  return found;
}

function version(release: string): Finding {
  const base = { area: 'kernel', name: 'version', detail: release } as const;
  if (isOlder(release, OLDEST))
    return { ...base, status: 'fail', mend: `nslab needs Linux ${OLDEST.join('.')} or newer` };
  if (isOlder(release, WANTED))
    return {
      ...base,
      status: 'warn',
      mend: `\`userns\` with images needs Linux ${WANTED.join('.')} or newer`,
    };
  return { ...base, status: 'ok' };
}

function modprobe(module: string): string {
  return `modprobe ${module}, where the distribution ships it (Debian and Ubuntu: linux-modules-extra, linux-image-amd64)`;
}

/** What is known of a feature, or undefined where the kernel lacks it. */
function moduleOf(
  state: ModuleState | undefined,
  works: boolean | undefined,
): Pick<Finding, 'status' | 'detail'> | undefined {
  if (works === true) return { status: 'ok', detail: 'yes' };
  if (state === 'loadable') return { status: 'ok', detail: 'a module, loaded when it is needed' };
  if (works === undefined && state === 'present') return { status: 'ok', detail: 'yes' };
  return undefined;
}

/** Without which hardly any lab comes up. */
const needed = new Set(['veth', 'bridge']);

function deviceFindings({ modules, probe, hasTun, isRoot }: DoctorFacts): Finding[] {
  const area = 'devices';
  const found = kinds.map((name): Finding => {
    const module = moduleOfDevice(name);
    const state = modules[module];
    const works = probe === undefined ? undefined : !probe.lacking.includes(name);
    const known = state === 'loadable' ? moduleOf(state, undefined) : moduleOf(state, works);
    if (known !== undefined) return { area, name, ...known };
    if (probe === undefined && (state === 'unknown' || !isRoot))
      return { area, name, status: 'warn', detail: 'not known', mend: 'sudo nslab doctor' };
    const status = needed.has(name) ? 'fail' : 'warn';
    return { area, name, status, detail: 'the kernel has none', mend: modprobe(module) };
  });
  const tun: Finding = hasTun
    ? { area, name: 'tun', status: 'ok', detail: 'yes' }
    : { area, name: 'tun', status: 'warn', detail: '/dev/net/tun is not there', mend: 'modprobe tun' };
  return [...found, tun];
}

const controllers = ['cpu', 'memory', 'pids', 'cpuset'] as const;

function cgroupFindings({ cgroups: { v1, v2 } }: DoctorFacts): Finding[] {
  const area = 'cgroups';
  if (v1.length === 0 && v2 === undefined) {
    const mend = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup';
    return [{ area, name: 'version', status: 'warn', detail: 'none is mounted: no containers', mend }];
  }
  const name = v1.length === 0 ? '2' : v2 === undefined ? '1' : '1 and 2 (hybrid)';
  const has = (controller: string) =>
    [...v1, ...(v2 === undefined ? [] : [v2])].some((one) => one.controllers.includes(controller));
  return [
    { area, name: 'version', status: 'ok', detail: name },
    ...controllers.map((controller): Finding => {
      if (has(controller)) return { area, name: controller, status: 'ok', detail: 'yes' };
      const mend =
        controller === 'memory'
          ? 'boot with cgroup_enable=memory, or mount its hierarchy'
          : 'mount its hierarchy';
      return { area, name: controller, status: 'warn', detail: 'missing: its limits are refused', mend };
    }),
  ];
}

function securityFindings({ sysctl, seLinux, namespaces }: DoctorFacts): Finding[] {
  const area = 'security';
  const most = sysctl('user/max_user_namespaces');
  const userns: Finding = !namespaces.includes('user')
    ? {
        area,
        name: 'user namespaces',
        status: 'warn',
        detail: 'missing: no `userns`',
        mend: 'a kernel that has them',
      }
    : most === '0'
      ? {
          area,
          name: 'user namespaces',
          status: 'warn',
          detail: 'none may be made: no `userns`',
          mend: 'sysctl -w user.max_user_namespaces=15000',
        }
      : { area, name: 'user namespaces', status: 'ok', detail: `up to ${most ?? 'any number'}` };
  const seccomp: Finding =
    sysctl('kernel/seccomp/actions_avail') === undefined
      ? {
          area,
          name: 'seccomp',
          status: 'warn',
          detail: 'missing: containers need security_opt: [seccomp=unconfined]',
          mend: 'a kernel with CONFIG_SECCOMP_FILTER',
        }
      : { area, name: 'seccomp', status: 'ok', detail: 'yes' };
  // Both are for processes without privileges; nslab is root, and what a container's root does inside is not restricted by them.
  const apparmor: Finding = {
    area,
    name: 'AppArmor',
    status: 'ok',
    detail:
      sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1'
        ? 'restricts user namespaces of others than root; nslab is root'
        : 'does not restrict user namespaces',
  };
  const selinux: Finding =
    seLinux === 'enforcing'
      ? {
          area,
          name: 'SELinux',
          status: 'warn',
          detail: 'enforcing: containers have no label of their own and may not read what is bound in',
          mend: 'setenforce 0, if a container is refused its files',
        }
      : { area, name: 'SELinux', status: 'ok', detail: seLinux ?? 'not there' };
  return [userns, seccomp, apparmor, selinux];
}

/** Neighbours that the machine keeps at most; above, pings of big labs are lost. */
const NEIGHBOURS = 1024;

function networkFindings({ sysctl }: DoctorFacts): Finding[] {
  const area = 'network';
  const forward = sysctl('net/ipv4/ip_forward');
  const bridged = sysctl('net/bridge/bridge-nf-call-iptables');
  const neighbours = Number(sysctl('net/ipv4/neigh/default/gc_thresh3') ?? NEIGHBOURS);
  return [
    {
      area,
      name: 'ip_forward',
      status: 'ok',
      detail:
        forward === '1'
          ? 'on'
          : 'off; a lab that needs it turns it on for its own devices, and down puts it back',
    },
    bridged === undefined || bridged === '0'
      ? { area, name: 'br_netfilter', status: 'ok', detail: bridged === '0' ? 'off' : 'not loaded' }
      : {
          area,
          name: 'br_netfilter',
          status: 'warn',
          detail:
            "frames on bridges of the machine pass iptables' FORWARD, where Docker drops what is not its own",
          mend: 'sysctl -w net.bridge.bridge-nf-call-iptables=0, if pings over a bridge of the machine are lost',
        },
    {
      area,
      name: 'neighbours',
      status: neighbours < NEIGHBOURS ? 'warn' : 'ok',
      detail: `${neighbours} at most (gc_thresh3), for all namespaces together`,
      ...(neighbours < NEIGHBOURS ? { mend: 'sysctl -w net.ipv4.neigh.default.gc_thresh3=8192' } : {}),
    },
  ];
}

const uses: Readonly<Record<(typeof tools)[number], readonly [use: string, debian: string]>> = {
  ping: ['`exec NODE ping` of lessons', 'iputils-ping'],
  ip: ['a look from outside; nslab itself needs none', 'iproute2'],
  nft: ['a look at NAT and firewalls; nslab itself needs none', 'nftables'],
  tcpdump: ['a look at packets', 'tcpdump'],
  busybox: ['`image build-base`', 'busybox-static'],
};

function toolFindings({ programs }: DoctorFacts): Finding[] {
  return tools.map((name): Finding => {
    if (programs.has(name)) return { area: 'tools', name, status: 'ok', detail: 'yes' };
    const [use, debian] = uses[name];
    return {
      area: 'tools',
      name,
      status: 'warn',
      detail: `not in PATH, for ${use}`,
      mend: `apt-get install ${debian}`,
    };
  });
}

/** OVERLAYFS_SUPER_MAGIC, linux/magic.h. */
const OVERLAYFS = 0x794c_7630;
const LITTLE_ROOM = 1 << 30;
/** What `userns: auto` takes where no size is said. */
const IDS = 65_536;

function nslabFindings({ node, subids, storage }: DoctorFacts): Finding[] {
  const area = 'nslab';
  const snapshots: Readonly<Record<DoctorFacts['node']['snapshot'], Omit<Finding, 'area' | 'name'>>> = {
    used: { status: 'ok', detail: 'used' },
    options: { status: 'warn', detail: 'not used because NODE_OPTIONS is set', mend: 'unset NODE_OPTIONS' },
    other: {
      status: 'warn',
      detail: 'not used: it was made for another Node or another processor; commands start slower',
      mend: 'npm run build, in the folder of nslab',
    },
  };
  const room = `${(storage.freeBytes / LITTLE_ROOM).toFixed(1)} GiB free in ${storage.path}`;
  return [
    { area, name: 'Node.js', status: 'ok', detail: node.version },
    { area, name: 'snapshot', ...snapshots[node.snapshot] },
    ...(['uid', 'gid'] as const).map((kind): Finding => {
      const name = `/etc/sub${kind}`;
      if (subids[kind] >= IDS) return { area, name, status: 'ok', detail: `${subids[kind]} ids` };
      return {
        area,
        name,
        status: 'warn',
        detail: `${subids[kind]} ids for root, nslab or containers: too few for \`userns: auto\``,
        mend: `echo nslab:1000000:1048576 >> ${name}`,
      };
    }),
    storage.type === OVERLAYFS
      ? {
          area,
          name: 'storage',
          status: 'warn',
          detail: 'on overlayfs, on which no other overlay can be: files of containers are copied',
          mend: 'mount another file system at /var/lib/nslab',
        }
      : {
          area,
          name: 'storage',
          status: storage.freeBytes < LITTLE_ROOM ? 'warn' : 'ok',
          detail: room,
          ...(storage.freeBytes < LITTLE_ROOM ? { mend: 'nslab image prune, or more room' } : {}),
        },
  ];
}

function leftFindings({ leftovers, isRoot }: DoctorFacts): Finding[] {
  const area = 'left';
  if (!isRoot) return [];
  if (leftovers.length === 0) return [{ area, name: 'of labs', status: 'ok', detail: 'nothing' }];
  return leftovers.map(({ what, mend }) => ({ area, name: 'of labs', status: 'warn', detail: what, mend }));
}
