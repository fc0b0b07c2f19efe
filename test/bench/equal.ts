// Whether the contenders make the same objects, which is what makes their times comparable: devices, addresses and routes of every
// namespace of a small lab as `ip -j` shows them, without what is the kernel's to choose (indexes, MAC addresses, ids).

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { type ContenderName, prepare, type Tools } from './contenders.ts';
import type { Runner } from './runner.ts';
import type { Shape } from './shapes.ts';

type Link = {
  ifname: string;
  flags: string[];
  mtu: number;
  operstate: string;
  master?: string;
  num_tx_queues?: number;
  linkinfo?: { info_kind?: string; info_slave_kind?: string };
};
type Address = { ifname: string; addr_info: { family: string; local: string; prefixlen: number }[] };
type Route = { dst: string; gateway?: string; dev: string };

function ip<T>(netns: string, ...words: string[]): T[] {
  const { stdout } = spawnSync('ip', ['-n', netns, '-j', '-d', ...words], { encoding: 'utf8' });
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as T[]);
}

function describe(netns: string): string[] {
  const links = ip<Link>(netns, 'link').map(
    ({ ifname, flags, mtu, operstate, master, num_tx_queues, linkinfo }) =>
      `link ${ifname} ${linkinfo?.info_kind ?? 'loopback'} mtu ${mtu} ${operstate} ${flags.includes('UP') ? 'up' : 'down'}` +
      ` queues ${num_tx_queues} master ${master ?? '-'} ${linkinfo?.info_slave_kind ?? ''}`,
  );
  const addresses = ip<Address>(netns, 'addr').flatMap(({ ifname, addr_info }) =>
    addr_info
      // Link-local addresses follow from the MAC address.
      .map(({ family, local, prefixlen }) =>
        local.startsWith('fe80:')
          ? `addr ${ifname} link-local`
          : `addr ${ifname} ${family} ${local}/${prefixlen}`,
      ),
  );
  const routes = ip<Route>(netns, 'route').map(
    ({ dst, gateway, dev }) => `route ${dst} via ${gateway ?? '-'} dev ${dev}`,
  );
  return [...links, ...addresses, ...routes].sort();
}

/** Everything in the contender's lab of the size, a line each. */
async function objects(
  runner: Runner,
  tools: Tools,
  { name, shape, n }: { name: ContenderName; shape: Shape; n: number },
): Promise<string[]> {
  const entry = prepare(name, tools, { shape, n });
  await runner.output(entry.up);
  try {
    const own = readdirSync('/run/netns').filter((netns) => netns.startsWith(entry.prefix));
    return own
      .sort()
      .flatMap((netns) => describe(netns).map((line) => `${netns.slice(entry.prefix.length)}: ${line}`));
  } finally {
    await runner.sweep(entry.down, entry.prefix);
    await runner.settle();
  }
}

/** What differs from the first contender's lab, as text for the table's head. */
export async function compareObjects(
  runner: Runner,
  tools: Tools,
  { names, shape }: { names: readonly ContenderName[]; shape: Shape },
): Promise<string> {
  const n = 3;
  const [first, ...others] = names;
  if (first === undefined) return '';
  const expected = await objects(runner, tools, { name: first, shape, n });
  const lines = [`\n${shape} of ${n}: ${expected.length} objects and settings of ${first}; beside it`];
  for (const name of others) {
    const found = await objects(runner, tools, { name, shape, n });
    const more = found.filter((line) => !expected.includes(line));
    const less = expected.filter((line) => !found.includes(line));
    lines.push(`  ${name}: ${more.length === 0 && less.length === 0 ? 'the same' : 'differs'}`);
    lines.push(...less.map((line) => `    - ${line}`), ...more.map((line) => `    + ${line}`));
  }
  return `${lines.join('\n')}\n`;
}
