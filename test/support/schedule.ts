// The order in which files of tests run, and how many at a time.

/** What takes longest goes first, so that no lane is left alone with it in the end. Names of files without `.test.ts`. */
const longest = [
  'topologies',
  'explain',
  'snapshot',
  'faults-containers',
  'faults-networks',
  'faults',
  'container-life',
  'containers',
  'cli',
  'container-monitor',
  'container-cgroup',
  'nfnl-equal',
  'random',
  'exec',
];

function inOrder(files: readonly string[]): string[] {
  const rank = (file: string): number => {
    const at = longest.findIndex((name) => file.includes(`/${name}.`));
    return at === -1 ? longest.length : at;
  };
  return [...files].sort((a, b) => rank(a) - rank(b));
}

/** Runs all files, one in each lane at a time. */
export async function runAll(
  files: readonly string[],
  lanes: number,
  runFile: (file: string, lane: number) => Promise<void>,
): Promise<void> {
  const waiting = inOrder(files);
  const lane = async (number: number): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await runFile(next, number);
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
}
