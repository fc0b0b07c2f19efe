// The shipped lessons, with what a test must do before one can be brought up: make a card to move, say. Each is a folder of
// topologies/lessons with a README, a start that leaves work and a solution; both have the same tests.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from '../../src/model/lab.ts';
import { loadLab } from '../../src/topology/load.ts';
import { hasMappedTmpfs, makeExt4 } from './mapped-root.ts';
import { nslabOk, root } from './nslab.ts';

export type LessonPart = 'start' | 'solution';

export type ShippedLesson = {
  /** That of the folder and of the lab: `01-namespace`. */
  readonly name: string;
  /** Relative to the checkout. */
  readonly folder: string;
  readonly file: (part: LessonPart) => string;
  readonly load: (part: LessonPart) => Lab;
  /** Makes what the lesson takes for granted, until the scope is left. */
  readonly stage: () => Disposable;
};

const stages: Readonly<Record<string, ShippedLesson['stage']>> = {
  '11-layers': () =>
    atEnd(() => rmSync('/var/lib/nslab/volumes/lesson-11', { recursive: true, force: true })),
  '12-user-namespaces': storeForUserNamespaces,
  '14-moving-a-nic': cardOfReadme,
};

export function shippedLessons(): ShippedLesson[] {
  const top = 'topologies/lessons';
  const entries = readdirSync(join(root, top), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return names.sort().map((name) => {
    const folder = `${top}/${name}`;
    const file = (part: LessonPart) => `${folder}/${part}.yaml`;
    const load = (part: LessonPart) => loadLab({ path: join(root, file(part)), env: {}, vars: {} }).lab;
    return { name, folder, file, load, stage: stages[name] ?? (() => atEnd(() => {})) };
  });
}

function atEnd(end: () => void): Disposable {
  return { [Symbol.dispose]: end };
}

/** The card that the README of the lesson makes first, but without IPv6, which would go on changing for a second. */
function cardOfReadme(): Disposable {
  const ip = (words: string) => execFileSync('ip', words.split(' '));
  ip('link add nic0 address 02:00:00:00:14:01 type veth peer name cable0');
  for (const end of ['nic0', 'cable0']) ip(`link set ${end} addrgenmode none`);
  ip('addr add 10.14.0.1/24 dev cable0');
  for (const end of ['nic0', 'cable0']) ip(`link set ${end} up`);
  return atEnd(() => {
    if (existsSync('/sys/class/net/nic0')) ip('link del nic0');
  });
}

/** The store of images in a file system that takes idmapped mounts, where tmpfs does not yet and the machine's is one. */
function storeForUserNamespaces(): Disposable {
  const store = '/var/lib/nslab';
  const type = execFileSync('stat', ['-f', '-c', '%T', store], { encoding: 'utf8' }).trim();
  if (type !== 'tmpfs' || hasMappedTmpfs()) return atEnd(() => {});
  const folder = mkdtempSync(join(tmpdir(), 'nslab-lessons-'));
  const image = join(folder, 'ext4');
  makeExt4(image, store);
  nslabOk(['image', 'build-base']);
  return atEnd(() => {
    execFileSync('umount', ['-l', store]);
    rmSync(folder, { recursive: true });
  });
}
