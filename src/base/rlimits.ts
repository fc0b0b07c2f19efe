// Resource limits by name: getrlimit(2), asm-generic/resource.h. The names are Compose's, in lower case and without RLIMIT_.

const names = [
  ...['cpu', 'fsize', 'data', 'stack', 'core', 'rss', 'nproc', 'nofile', 'memlock', 'as', 'locks'],
  ...['sigpending', 'msgqueue', 'nice', 'rtprio', 'rttime'],
];

/** The kernel's number of each limit. */
export const rlimits: ReadonlyMap<string, number> = new Map(names.map((name, number) => [name, number]));
