// Errors of the container page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const containerErrors = {
  CONTAINER_UNSUPPORTED: {
    exit: exit.topology,
    explanation:
      'The key means something to Docker Compose that nslab does not do yet. It is refused rather than ignored, because the container would run without what the file asks for. Remove the key; the message says what can be written instead.',
  },
  CONTAINER_ROOTFS: {
    exit: exit.host,
    explanation:
      "`rootfs` names a folder that becomes the root of the container's files, relative to the topology file, or is `host`. The folder is missing or is not a folder.",
  },
  CONTAINER_USER: {
    exit: exit.host,
    explanation:
      "`user` is looked up in the container's own /etc/passwd and /etc/group, not in those of the machine. The user or the group is not there, or one of the two files is not an ordinary file. A number needs no entry.",
  },
  CONTAINER_FILE: {
    exit: exit.host,
    explanation:
      'A file or a folder of the machine that the container needs (`env_files`, the source of a bind, a seccomp profile) is missing or cannot be used. Relative paths start at the folder of the topology file.',
  },
  CONTAINER_COPY: {
    exit: exit.lab,
    explanation:
      'Files could not be copied into or out of a container: a path is missing on one of the two sides, or one is a folder and the other a file. The message names it. As in `docker cp`, an existing folder gets the copy under its own name, and a path that is not there is the name of the copy.',
  },
  CONTAINER_DEVICE: {
    exit: exit.host,
    explanation:
      '`devices` names device files of the machine, or folders of them. The path is missing or has no device.',
  },
  CONTAINER_SECCOMP_PROFILE: {
    exit: exit.host,
    explanation:
      "A seccomp profile has Docker's format: a JSON mapping with `defaultAction` and `syscalls`. The message says what the profile has otherwise.",
  },
  CONTAINER_USERNS: {
    exit: exit.host,
    explanation:
      '`userns: auto` takes ids that nobody else has from the lines of root, nslab or containers in /etc/subuid and /etc/subgid, `NAME:FIRST:COUNT` each (subuid(5)); the ranges of running containers never overlap. There is no such line, or no room left in it. Or the kernel makes no user namespace: sysctl user.max_user_namespaces is how many there may be.',
  },
  CONTAINER_NO_COMMAND: {
    exit: exit.undone,
    explanation:
      "The command of a container is not among its files: it is looked for in the PATH of the container's own environment. `nslab run` and `nslab create` end with 127 then, as a shell does.",
  },
  CONTAINER_COMMAND: {
    exit: exit.undone,
    explanation:
      'The command of a container is there and cannot be run: it is a folder, or nobody may execute it. `nslab run` and `nslab create` end with 126 then, as a shell does.',
  },
  CONTAINER_UNHEALTHY: {
    exit: exit.left,
    explanation:
      'The lab is up and stays up, but a container with a health check did not become healthy: the check failed as often as `retries` says, the container ended, or the time of `--wait-timeout` was over. `nslab inspect NODE` shows what the last check said, `nslab logs NODE` what the container printed, `nslab down` takes the lab away, and `up --no-wait` does not wait for health.',
  },
  CONTAINER_CGROUP: {
    exit: exit.undone,
    explanation:
      'The kernel refused a limit of a container (memory, cpu, pids, ...) or the control group for it. The message names the key, the file of the control group and the reason. A limit needs the controller of that name: /proc/cgroups lists those of the kernel, cgroup.controllers those of cgroup2.',
  },
} as const satisfies Record<string, CatalogueEntry>;
