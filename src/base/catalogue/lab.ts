// Errors of the lab page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const labErrors = {
  LAB_UNKNOWN: {
    exit: exit.lab,
    explanation: 'No lab of that name is up. `nslab ls` lists those that are.',
  },
  LAB_ALREADY_UP: {
    exit: exit.lab,
    explanation:
      'A lab of that name is up already, made from other content, and the command makes new ones only. Take it down first with `nslab down`, or give the new one another name.',
  },
  COPIES_OVERLAP: {
    exit: exit.topology,
    explanation:
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
      'The file cannot be brought up several times with --copies: something of the machine itself would be that of more than one copy, an address or a route of the machine, a published port, a network card. nslab does not choose another address in the place of one that a file says, because people would look for the one they read there. `${COPY}` in the file is the number of the copy, as in 10.${COPY}.0.1/24 (`${COPY:-1}` also works without --copies). What the file leaves open (the subnet of a network, a port) is another one in each copy by itself, and so are the names of devices; inside the namespaces all copies have the same addresses.',
  },
  COPIES_FAILED: {
    exit: exit.left,
    explanation:
      'Of the copies that `up --copies` was to make, some are up and some are not. Those that failed were undone, each alone; those that are up stay, so that a class can begin. The same command makes what is missing, `nslab down NAME --copies` takes all of them away.',
  },
  LAB_LOCKED: {
    exit: exit.lab,
    explanation:
      'Another nslab process is working on the same lab at this moment. Wait until it has ended; the message names its process id.',
  },
  LAB_IN_USE: {
    exit: exit.lab,
    explanation:
      'Containers of other labs are plugged into a network of this one, as those of `nslab run` are into that of the lab `default`. They would be cut off.',
  },
  LAB_AMBIGUOUS: {
    exit: exit.lab,
    explanation: 'More than one lab fits. Name one of those listed.',
  },
  NODE_UNKNOWN: {
    exit: exit.lab,
    explanation:
      'No node of that name is up. `nslab ls` lists the labs and `nslab inspect` their nodes. `snapshot` also takes the names that `ip netns` lists.',
  },
  INTERFACE_UNKNOWN: {
    exit: exit.lab,
    explanation:
      'The node has no interface of that name now, or on the machine itself none that belongs to a lab. `nslab inspect` shows those of every node; NODE:INTERFACE names one.',
  },
  CAPTURE_FILTER: {
    exit: exit.usage,
    explanation:
      'A filter of `nslab capture` has the words of pcap-filter(7). nslab knows the common ones itself (ip, ip6, arp, icmp, icmp6, tcp, udp, vlan, host, net, port, and, or, not); names of nodes are hosts. With any other word the filter is compiled by tcpdump, which has to be installed and has to understand it. `and` and `or` bind alike, from the left, as there.',
  },
  QDISC_FOREIGN: {
    exit: exit.lab,
    explanation:
      'Somebody has put another queueing discipline at the interface than those by which nslab delays, loses and limits packets, with tc(8) most likely. nslab does not replace what it did not set.',
  },
  CONTAINER_UNKNOWN: {
    exit: exit.lab,
    explanation:
      'No container of that name is up: there is no node of that name, or it is a bare namespace without files and processes of its own. `nslab ps` lists the containers.',
  },
  CONTAINER_REFUSED: {
    exit: exit.lab,
    explanation:
      'The container cannot do what was asked in the state it is in: one that has ended cannot be paused, one that is dead (its monitor was killed) answers nothing. `nslab ps` shows the state, `nslab start` starts it again.',
  },
  STATE_BROKEN: {
    exit: exit.lab,
    explanation:
      'A record under /run/nslab cannot be read. It was written by another version of nslab or was changed by hand.',
  },
  STATE_WRITE: {
    exit: exit.host,
    explanation:
      'nslab writes what it is about to do to /run/nslab before it does it, and could not. The disk is full or read-only.',
  },
  INTERRUPTED: {
    exit: exit.interrupted,
    explanation:
      '`up` was stopped by Ctrl-C or SIGTERM, and everything it had made was removed again; or `apply` was, and the lab is what it was; or `down --wait` was stopped while it waited, and the lab is down.',
  },
  TEST_NONE: {
    exit: exit.lab,
    explanation:
      'The topology file of the lab has no `tests:`, so there is nothing that `nslab test` could run. `nslab test --matrix` needs none: it asks every node for every other.',
  },
  COMMAND_FAILED: {
    exit: exit.undone,
    explanation:
      "A command of a node's `exec:` list ended with another status than 0 or could not be started. The lab was taken down again, or, where it was up already, is what it was.",
  },
} as const satisfies Record<string, CatalogueEntry>;
