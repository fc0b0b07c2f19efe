// The keys of a node that is a container, with the shapes that Docker Compose gives them (the Compose specification,
// "services"). They are validated here and in lower-container.ts; the runner reads them.

import * as v from 'valibot';
import { membershipsSchema } from './schema-network.ts';
import {
  doc,
  either,
  integer,
  key,
  list,
  mapping,
  named,
  oneOrList,
  quantity,
  scalar,
} from './schema-shape.ts';

const textOrNumber = either(v.string(), v.number());
const words = oneOrList(v.string());
const keyValues = either(named(either(v.string(), v.number(), v.boolean(), v.null())), list(v.string()));

export const labelsSchema = either(named(scalar()), list(v.string()));

const volume = either(
  v.string(),
  mapping({
    type: key(v.picklist(['bind', 'volume', 'tmpfs']), 'Kind of mount.'),
    source: key(v.string(), 'A path of the machine, or the name of a volume.'),
    target: doc(v.string(), 'The path in the container.'),
    read_only: key(v.boolean(), 'The container may not write.'),
  }),
);

const port = either(
  v.string(),
  v.number(),
  mapping({
    target: doc(textOrNumber, 'Port of the container, or a range.'),
    published: key(textOrNumber, 'Port of the machine; one that is free by default.'),
    host_ip: key(v.string(), 'Address of the machine; all of them by default.', ['127.0.0.1']),
    protocol: key(v.picklist(['tcp', 'udp']), 'tcp by default.'),
    mode: key(v.picklist(['host', 'ingress']), 'Both are the same on one machine.'),
    name: key(v.string(), 'A word for readers.'),
    app_protocol: key(v.string(), 'A word for readers.'),
  }),
);

const healthcheck = mapping({
  test: key(words, 'The command. A list begins with CMD, CMD-SHELL or NONE.', [['CMD', 'true']]),
  interval: key(quantity(), 'Time between two checks.', ['30s']),
  timeout: key(quantity(), 'A check that takes longer has failed.', ['5s']),
  retries: key(integer(1, 1000), 'Failures in a row that make the container unhealthy.'),
  start_period: key(quantity(), 'Failures in this time after the start do not count.', ['10s']),
  start_interval: key(quantity(), 'Time between two checks in the start period.', ['1s']),
  disable: key(v.boolean(), 'No check, even if the image has one.'),
});

const dependsOn = either(
  list(v.string()),
  named(
    mapping({
      condition: key(
        v.picklist(['service_started', 'service_healthy', 'service_completed_successfully']),
        'What is waited for.',
      ),
    }),
  ),
);

export const containerKeys = {
  image: key(v.string(), 'An OCI image. Makes the node a container.', ['nginx:alpine']),
  rootfs: key(
    v.string(),
    "A folder as root file system, or `host` for an overlay over the machine's own files.",
  ),
  command: key(words, 'The command; replaces that of the image. A container without any waits for `exec`.'),
  entrypoint: key(words, 'The entry point; replaces that of the image.'),
  env: key(keyValues, 'Environment variables.', [{ A: 'b' }, ['A=b']]),
  env_files: key(words, 'Files of environment variables.'),
  working_dir: key(v.string(), 'Where the command starts.'),
  user: key(textOrNumber, 'User, and group after a colon.', ['1000:1000']),
  hostname: key(v.string(), 'Host name. The name of the node by default.'),
  binds: key(list(v.string()), 'Paths of the machine in the container.', [['./www:/www:ro']]),
  volumes: key(list(volume), 'Named volumes and paths.', [['data:/var/lib/data']]),
  tmpfs: key(words, 'Paths that live in memory.', ['/tmp:size=16m']),
  ports: key(list(port), 'Ports of the machine that lead to the container.', [
    ['8081:80/tcp', '127.0.0.1:53:53/udp', '8000-8010:8000-8010', '80'],
  ]),
  cap_add: key(list(v.string()), 'Capabilities given.', [['NET_ADMIN']]),
  cap_drop: key(list(v.string()), 'Capabilities taken.', [['ALL']]),
  privileged: key(v.boolean(), 'All capabilities and devices.'),
  security_opt: key(list(v.string()), 'no-new-privileges, seccomp=..., apparmor=...'),
  devices: key(list(v.string()), 'Devices of the machine.', [['/dev/net/tun']]),
  ulimits: key(
    named(
      either(
        v.number(),
        mapping({
          soft: doc(v.number(), 'The limit that counts.'),
          hard: doc(v.number(), 'How far the process may raise it.'),
        }),
      ),
    ),
    'Resource limits, setrlimit(2).',
    [{ nofile: 1024 }],
  ),
  cpu: key(textOrNumber, 'Processors, as a number.', [0.5]),
  cpus: key(textOrNumber, "Compose's word for `cpu`."),
  memory: key(quantity(), 'Memory limit.', ['64MB']),
  cpu_shares: key(
    integer(2, 262_144),
    'Weight against other containers when processors are short; 1024 is normal.',
  ),
  cpuset: key(textOrNumber, 'The processors it may run on.', ['0-1', '0,2']),
  memory_swap: key(quantity(), 'Memory and swap together, -1 for no limit. Twice `memory` by default.', [
    '128MB',
  ]),
  memory_reservation: key(quantity(), 'What it is left when memory is short.', ['32MB']),
  pids: key(v.pipe(v.number(), v.integer()), 'Most processes at a time.'),
  init: key(v.boolean(), 'Run a small init as process 1.'),
  tty: key(v.boolean(), 'Give the command a terminal.'),
  stdin_open: key(v.boolean(), 'Keep standard input open.'),
  restart: key(either(v.string(), v.boolean()), 'no, always, unless-stopped or on-failure[:N].'),
  pull_policy: key(
    v.picklist(['always', 'missing', 'never']),
    'When the image is pulled from its registry; if it is not there, by default.',
  ),
  stop_signal: key(textOrNumber, 'Signal that asks the command to end.', ['SIGTERM']),
  stop_grace_period: key(quantity(), 'Time until it is killed.', ['10s']),
  healthcheck: key(healthcheck, 'How to see that the container works.'),
  depends_on: key(dependsOn, 'Nodes that start before this one.', [['db']]),
  network_mode: key(
    v.string(),
    'none, host, bridge or container:NAME. `bridge` by default where no link ends at the node.',
  ),
  networks: key(membershipsSchema, 'Networks of the lab that the container is plugged into.', [
    ['front', 'back'],
    { back: { aliases: ['db'] } },
  ]),
  ipc: key(v.string(), '`host` for System V queues and /dev/shm of the machine; its own by default.'),
  pid: key(v.string(), '`host` for all processes of the machine; its own by default.'),
  userns: key(
    either(
      v.string(),
      mapping({
        uid: doc(list(v.string()), 'Users, as ranges INSIDE:OUTSIDE:COUNT.'),
        gid: key(list(v.string()), 'Groups; those of `uid` by default.'),
      }),
    ),
    'User namespace: `host`, `auto`, `auto:size=COUNT` (ids from /etc/subuid and /etc/subgid), FIRST:COUNT, or ranges.',
    ['auto', { uid: ['0:100000:65536'], gid: ['0:100000:65536'] }],
  ),
  time_offsets: key(
    mapping({
      boottime: key(v.string(), 'Time since the boot: what uptime(1) shows.', ['24h']),
      monotonic: key(v.string(), 'The clock that nothing sets.', ['-10s']),
    }),
    "Clocks of its own, ahead of the machine's or behind: a time namespace. The time of day is everybody's.",
  ),
  read_only: key(v.boolean(), 'The root file system cannot be written.'),
  shm_size: key(quantity(), 'Size of /dev/shm.', ['64MB']),
  extra_hosts: key(either(named(oneOrList(v.string())), list(v.string())), "Compose's word for `hosts`.", [
    ['db:10.1.1.2', 'machine:host-gateway'],
  ]),
  dns_search: key(words, "Compose's word for `dns: { search }`.", ['lab.example']),
  dns_opt: key(list(v.string()), "Compose's word for `dns: { options }`.", [['ndots:2']]),
} as const;
