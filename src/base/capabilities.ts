// The names of capabilities without CAP_, in the order of their numbers: linux/capability.h, capabilities(7).

export const capabilities: ReadonlySet<string> = new Set([
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
]);

/** The bit of each capability, by its name without CAP_. */
const bits: ReadonlyMap<string, bigint> = new Map(
  [...capabilities].map((name, number) => [name, 1n << BigInt(number)]),
);

/** Names (with or without CAP_) as the kernel's mask; those that do not exist count nothing. */
export function capabilityMask(names: Iterable<string>): bigint {
  let mask = 0n;
  for (const name of names) mask |= bits.get(name.replace(/^CAP_/, '')) ?? 0n;
  return mask;
}

/** The names, as CAP_CHOWN, of the bits of a mask, in the order of their numbers. */
export function capabilityNames(mask: bigint): string[] {
  return [...bits].filter(([, bit]) => (mask & bit) !== 0n).map(([name]) => `CAP_${name}`);
}
