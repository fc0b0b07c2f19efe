// `nslab capture`: the packets of a lab, as lines or as pcapng.

import { NslabError } from '../../base/error.ts';
import { capture } from '../../lab/capture.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { chooseTargets } from '../../lab/targets.ts';
import { version } from '../version.ts';

type Args = {
  targets?: string[];
  lab?: string;
  write?: string;
  filter?: string;
  count?: number;
  snaplen: number;
  duration?: number;
};

/** What tcpdump and Wireshark take for "all of it", MAXIMUM_SNAPLEN of libpcap. */
const SNAPLEN_MOST = 262_144;
/** With less not even the header of Ethernet is there. */
const SNAPLEN_LEAST = 14;

export async function run(args: Args): Promise<void> {
  assertRoot('capture');
  const { targets = [], lab, write, filter, count, snaplen, duration } = args;
  if (count !== undefined && !(Number.isSafeInteger(count) && count > 0))
    throw new NslabError('USAGE', '--count wants a number of packets');
  if (!Number.isInteger(snaplen) || snaplen < SNAPLEN_LEAST || snaplen > SNAPLEN_MOST)
    throw new NslabError('USAGE', `--snaplen wants bytes, ${SNAPLEN_LEAST} to ${SNAPLEN_MOST}`);
  // A year and not more, so that its nanoseconds stay a number of 64 bits.
  if (duration !== undefined && !(duration > 0 && duration <= 31_536_000))
    throw new NslabError('USAGE', '--duration wants seconds');
  if (write === '') throw new NslabError('USAGE', '--write wants a file, or - for standard output');
  if (write === '-' && process.stdout.isTTY)
    throw new NslabError('USAGE', 'pcapng is not for a terminal', {
      hint: 'nslab capture -w - | wireshark -k -i -',
    });
  process.exitCode = await capture({
    ...chooseTargets(targets.map(String), lab),
    application: `nslab ${version}`,
    write,
    filter,
    count,
    snaplen,
    durationMs: duration === undefined ? undefined : Math.max(1, Math.round(duration * 1000)),
  });
}
