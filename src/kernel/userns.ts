// A network namespace that belongs to a user namespace: who has a capability in that one has it in the network. Only a process of
// one thread can make a user namespace (unshare(2)), so the helper does. user_namespaces(7), "Interaction of user namespaces and
// other types of namespaces".
//
// Made before and owned by the machine, as those of other nodes are, CAP_NET_ADMIN and CAP_NET_RAW of a container with `userns` would
// not reach its network: no routing daemon, no tcpdump, no ping by raw socket. The price is one run of the helper for each, and that
// the kernel hides a few sysctls in such a namespace (most of net.ipv6.route). In the network of another (`network_mode: host`,
// `container:NAME`) such a container can look and not touch.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { NslabError } from '../base/error.ts';
import { mapText } from '../model/userns.ts';
import type { Op } from '../plan/op.ts';
import { helperPath } from './helper.ts';

type Owned = {
  readonly pin: string;
  readonly userPin: string;
  readonly userns: NonNullable<Extract<Op, { readonly kind: 'createNetns' }>['userns']>;
};

/** Makes both and pins both; the calling thread stays where it is. @throws NslabError CONTAINER_USERNS */
export function createOwnedNetns({ pin, userPin, userns }: Owned): void {
  if (userns.mode === 'auto') throw new Error('a user namespace without ids');
  const { uid, gid } = userns.maps;
  mkdirSync(dirname(userPin), { recursive: true, mode: 0o700 });
  for (const path of [pin, userPin]) writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
  const { status, stderr, error } = spawnSync(
    helperPath(),
    ['_userns', userPin, pin, mapText(uid), mapText(gid)],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (error !== undefined) throw error;
  if (status === 0) return;
  const said = stderr.trim().replace(/^error\[\w+\] /, '') || `the helper ended with status ${status}`;
  throw new NslabError('CONTAINER_USERNS', said, {
    hint: 'sysctl user.max_user_namespaces; a kernel built without CONFIG_USER_NS has none',
  });
}
