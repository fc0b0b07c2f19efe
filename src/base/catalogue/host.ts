// Errors of the host page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const hostErrors = {
  HOST_NOT_ROOT: {
    exit: exit.host,
    explanation:
      'Making a network namespace needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN, see capabilities(7)). Run the same command with sudo.',
  },
  HOST_KERNEL_LACKS: {
    exit: exit.host,
    explanation:
      'The running kernel does not have a kind of device or a feature that the lab needs. The message names the kernel module: `modprobe MODULE` loads it where the distribution ships it.',
  },
  HOST_NAME_TAKEN: {
    exit: exit.host,
    explanation:
      'A network namespace, a host interface or an nft table of that name exists already and does not belong to this lab. nslab never takes over what it did not make. Remove it, or bring the lab up under other names with --prefix.',
  },
  HOST_DEVICE_MISSING: {
    exit: exit.host,
    explanation:
      'An interface of type `physical` takes a network card of the machine into a node, and the machine has no device of that name. `ip link` lists those it has.',
  },
  HOST_SUBNET_TAKEN: {
    exit: exit.host,
    explanation:
      'The host already routes addresses that the lab would use, so one of the two would be cut off. Change the subnet in the file.',
  },
  HOST_PORT_TAKEN: {
    exit: exit.host,
    explanation:
      'A container would publish a port that a program of the machine, or a container of another lab, has already. The message says which. Publish another port, or on another address of the machine, or end the other one.',
  },
  HOST_ADDRESS_MISSING: {
    exit: exit.host,
    explanation:
      'A container would publish a port on an address that the machine does not have. `ip addr` lists those it has.',
  },
  HOST_LIMIT: {
    exit: exit.host,
    explanation:
      'The lab needs more of something than the kernel allows, for example more than 1023 ports on one bridge (BR_MAX_PORTS).',
  },
  HOST_REFUSED: {
    exit: exit.host,
    explanation:
      'A system call that `exec` or `shell` needs was refused, though it works on an ordinary machine with root. Inside a container or a sandbox that is usual: it must allow setns(2), mount(2) and unshare(2). The message names the call and the reason.',
  },
  HOST_NOT_BUILT: {
    exit: exit.host,
    explanation:
      'bin/nslab found no built nslab in dist/, or no Node.js to run it. `bin/setup` installs what is missing and builds; `npm run build` builds alone.',
  },
  EXEC_FAILED: {
    exit: exit.noCommand,
    explanation:
      'The command that `exec` was to run inside the node does not exist (exit status 127) or cannot be run (126). Nodes see the files of the machine, so it has to be installed there.',
  },
} as const satisfies Record<string, CatalogueEntry>;
