// Words of mount(8) as the kernel's: attributes of a mount (linux/mount.h MOUNT_ATTR_*), propagation (MS_*), and what is left for the
// file system itself (fsconfig(2)). Source: runtime-spec config.md, "Linux mount options".

export type MountWords = {
  /** MOUNT_ATTR_*. */
  readonly attr: bigint;
  /** MS_*, 0 when no word says. */
  readonly propagation: number;
  /** `rbind`. */
  readonly recursive: boolean;
  /** `rro`. */
  readonly readOnlyRecursive: boolean;
  /** For the file system, as they stand. */
  readonly data: readonly string[];
};

const RDONLY = 0x1n;
const NOSUID = 0x2n;
const NODEV = 0x4n;
const NOEXEC = 0x8n;
const ATIME_MASK = 0x70n;
const NOATIME = 0x10n;
const STRICTATIME = 0x20n;
const NODIRATIME = 0x80n;
const NOSYMFOLLOW = 0x200000n;

type Attribute = { readonly set: bigint; readonly clear: bigint };

const attributes: ReadonlyMap<string, Attribute> = new Map([
  ['ro', set(RDONLY)],
  ['rw', clear(RDONLY)],
  ['nosuid', set(NOSUID)],
  ['suid', clear(NOSUID)],
  ['nodev', set(NODEV)],
  ['dev', clear(NODEV)],
  ['noexec', set(NOEXEC)],
  ['exec', clear(NOEXEC)],
  ['nodiratime', set(NODIRATIME)],
  ['diratime', clear(NODIRATIME)],
  ['nosymfollow', set(NOSYMFOLLOW)],
  ['symfollow', clear(NOSYMFOLLOW)],
  // The three are one field, of which relatime is 0.
  ['relatime', clear(ATIME_MASK)],
  ['atime', clear(ATIME_MASK)],
  ['noatime', { set: NOATIME, clear: ATIME_MASK }],
  ['strictatime', { set: STRICTATIME, clear: ATIME_MASK }],
  ['norelatime', { set: STRICTATIME, clear: ATIME_MASK }],
  ['nostrictatime', clear(ATIME_MASK)],
  ['defaults', clear(0n)],
]);

function set(bits: bigint): Attribute {
  return { set: bits, clear: 0n };
}

function clear(bits: bigint): Attribute {
  return { set: 0n, clear: bits };
}

const MS_REC = 16384;

/** MS_PRIVATE and its like, linux/mount.h. */
export const propagations: ReadonlyMap<string, number> = new Map([
  ['unbindable', 1 << 17],
  ['private', 1 << 18],
  ['slave', 1 << 19],
  ['shared', 1 << 20],
  ['runbindable', (1 << 17) | MS_REC],
  ['rprivate', (1 << 18) | MS_REC],
  ['rslave', (1 << 19) | MS_REC],
  ['rshared', (1 << 20) | MS_REC],
]);

/** Later words win over earlier ones. */
export function readMountWords(words: readonly string[]): MountWords {
  let attr = 0n;
  let propagation = 0;
  const data: string[] = [];
  for (const word of words) {
    const attribute = attributes.get(word);
    if (attribute !== undefined) attr = (attr & ~attribute.clear) | attribute.set;
    else if (propagations.has(word)) propagation = propagations.get(word) ?? 0;
    else if (!['bind', 'rbind', 'rro'].includes(word)) data.push(word);
  }
  return {
    attr,
    propagation,
    recursive: words.includes('rbind'),
    readOnlyRecursive: words.includes('rro'),
    data,
  };
}
