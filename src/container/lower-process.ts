// The process of a runtime configuration as ops, the same for the container's first process and for `exec`. What this machine
// does not grant is granted as far as it goes, with a warning (runtime-spec, "process.capabilities"). Pure.

import { capabilityMask, capabilityNames } from '../base/capabilities.ts';
import { rlimits } from '../base/rlimits.ts';
import type { LowerFacts, ProcessFacts } from './host.ts';
import type { ProgramOp } from './program-ops.ts';
import type { Rlimit, RuntimeSpec, User } from './runtime-spec.ts';
import { lookupUser } from './users.ts';

export type LoweredProcess = { readonly ops: readonly ProgramOp[]; readonly warnings: readonly string[] };

export function lowerProcess(spec: RuntimeSpec, facts: LowerFacts): LoweredProcess {
  const { process } = spec;
  const { user, home } = userOf(spec, facts);
  const caps = lowerCapabilities(spec, user, facts.process);
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

function lowerCapabilities(spec: RuntimeSpec, user: User, { capabilities: held }: ProcessFacts) {
  const { capabilities } = spec.process;
  const wanted = capabilityMask(capabilities.bounding ?? []);
  const missing = capabilityNames(wanted & ~held);
  // Another user's program has no capabilities, as execve(2) leaves it; it may still gain those of the bounding set.
  const now = (names: readonly string[] = []) => (user.uid === 0 ? capabilityMask(names) & held : 0n);
  const op = {
    op: 'CAPS',
    bounding: wanted & held,
    effective: now(capabilities.effective),
    permitted: now(capabilities.permitted),
    inheritable: capabilityMask(capabilities.inheritable ?? []) & held,
    ambient: capabilityMask(capabilities.ambient ?? []) & held,
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
