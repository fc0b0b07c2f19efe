// The process of a runtime configuration as ops, the same for the container's first process and for `exec`. What this machine
// does not grant is granted as far as it goes, with a warning (runtime-spec, "process.capabilities"). Pure.

import { capabilities, capabilityMask, capabilityNames } from '../base/capabilities.ts';
import { NslabError } from '../base/error.ts';
import { rlimits } from '../base/rlimits.ts';
import { type IdMap, mapId } from '../model/userns.ts';
import type { LowerFacts, ProcessFacts } from './host.ts';
import type { ProgramOp } from './program-ops.ts';
import type { Rlimit, RuntimeSpec, User } from './runtime-spec.ts';
import { lookupUser } from './users.ts';

export type LoweredProcess = { readonly ops: readonly ProgramOp[]; readonly warnings: readonly string[] };

export function lowerProcess(spec: RuntimeSpec, facts: LowerFacts): LoweredProcess {
  const { process } = spec;
  const { user, home } = userOf(spec, facts);
  checkMapped(spec, user);
  const held = spec.linux.uidMappings === undefined ? facts.process.capabilities : everyCapability;
  const caps = lowerCapabilities(spec, user, held);
  const limits = (process.rlimits ?? []).map((limit) => lowerRlimit(limit, facts.process));
  const ops: ProgramOp[] = [
    ...limits.map(({ op }) => op),
    ...(process.oomScoreAdj === undefined
      ? []
      : [{ op: 'OOM_SCORE_ADJ', value: process.oomScoreAdj } as const]),
    { op: 'UMASK', umask: user.umask ?? 0o022 },
    { op: 'USER', uid: user.uid, gid: user.gid, groups: user.additionalGids ?? [] },
    caps.op,
    ...(process.noNewPrivileges ? [{ op: 'NO_NEW_PRIVS' } as const] : []),
    ...(facts.seccomp === undefined
      ? []
      : [{ op: 'SECCOMP', filterFlags: facts.seccomp.flags, filter: facts.seccomp.filter } as const]),
    { op: 'ENV', env: withHome(process.env, home) },
    { op: 'CWD', path: process.cwd },
  ];
  return { ops, warnings: [...caps.warnings, ...limits.flatMap(({ warning }) => warning ?? [])] };
}

function userOf(spec: RuntimeSpec, { accounts }: LowerFacts): { readonly user: User; readonly home: string } {
  const { user } = spec.process;
  const found = lookupUser(spec.nslab.user ?? String(user.uid), accounts);
  if (spec.nslab.user === undefined) return { user, home: found.home };
  return {
    user: { ...user, uid: found.uid, gid: found.gid, additionalGids: found.groups },
    home: found.home,
  };
}

/** As runc does it: HOME is of the user, unless somebody has said. */
function withHome(env: readonly string[], home: string): readonly string[] {
  return env.some((entry) => entry.startsWith('HOME=')) ? env : [...env, `HOME=${home}`];
}

/** setresuid(2) and setgroups(2) would refuse the others with EINVAL, when the container exists already. */
function checkMapped({ linux }: RuntimeSpec, { uid, gid, additionalGids = [] }: User): void {
  const { uidMappings, gidMappings = uidMappings } = linux;
  if (uidMappings === undefined || gidMappings === undefined) return;
  const check = (what: string, id: number, ranges: readonly IdMap[]): void => {
    if (mapId(ranges, id) !== undefined) return;
    throw new NslabError('CONTAINER_USER', `the user namespace of the container has no ${what} ${id}`, {
      hint: 'choose another `user`, or give `userns` more ids',
    });
  };
  check('user', uid, uidMappings);
  for (const group of [gid, ...additionalGids]) check('group', group, gidMappings);
}

/** In a user namespace all are there to be granted, whatever nslab has itself. */
const everyCapability = capabilityMask(capabilities);

function lowerCapabilities(spec: RuntimeSpec, user: User, held: bigint) {
  const { capabilities: sets } = spec.process;
  const wanted = capabilityMask(sets.bounding ?? []);
  const missing = capabilityNames(wanted & ~held);
  // Another user's program has no capabilities, as execve(2) leaves it; it may still gain those of the bounding set.
  const now = (names: readonly string[] = []) => (user.uid === 0 ? capabilityMask(names) & held : 0n);
  const op = {
    op: 'CAPS',
    bounding: wanted & held,
    effective: now(sets.effective),
    permitted: now(sets.permitted),
    inheritable: capabilityMask(sets.inheritable ?? []) & held,
    ambient: capabilityMask(sets.ambient ?? []) & held,
  } as const;
  const what = `${missing.join(', ')} cannot be granted: nslab does not have it itself`;
  return { op, warnings: missing.length === 0 ? [] : [what] };
}

const INFINITY = 0xffff_ffff_ffff_ffffn;
const SYS_RESOURCE = capabilityMask(['SYS_RESOURCE']);

function lowerRlimit({ type, soft, hard }: Rlimit, { capabilities, hardLimits }: ProcessFacts) {
  const resource = rlimits.get(type.replace(/^RLIMIT_/, '').toLowerCase());
  if (resource === undefined) throw new Error(`unknown limit ${type}`);
  const most = (capabilities & SYS_RESOURCE) === 0n ? limitValue(hardLimits.get(type) ?? -1) : INFINITY;
  const wanted = limitValue(hard);
  const granted = wanted < most ? wanted : most;
  const softValue = limitValue(soft);
  const op = {
    op: 'RLIMIT',
    resource,
    soft: softValue < granted ? softValue : granted,
    hard: granted,
  } as const;
  return granted === wanted ? { op } : { op, warning: `${type} cannot be more than ${granted} here` };
}

function limitValue(value: number): bigint {
  return value < 0 ? INFINITY : BigInt(value);
}
