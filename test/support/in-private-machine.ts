// A program of the kernel suite, to be run under `unshare --net --mount`: there it has a machine to itself, whose /run and /etc
// hide those of the real one, and everything it makes is gone when it ends. Prints one JSON document.
//   contract               what the kernel says to each story of kernel-contract.ts
//   up NAME | explain NAME  makes a lab of sample-labs.ts, by the Kernel port or by the script, and shows what is there

import { execFileSync, spawnSync } from 'node:child_process';
import type { LabName } from '../../src/base/names.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import type { Lab } from '../../src/model/lab.ts';
import { explainDown, explainUp } from '../../src/plan/explain.ts';
import type { Op } from '../../src/plan/op.ts';
import { planLab } from '../../src/plan/order.ts';
import { planDown, undoFacts, undoFactsOfNames } from '../../src/plan/undo.ts';
import { dumpPlaces } from './dump.ts';
import { beginning, type Story, stories } from './kernel-contract.ts';
import { everything, stockKinds } from './sample-labs.ts';
import { hasLinkKind } from './skip.ts';

const labs: Readonly<Record<string, () => Lab>> = { everything, 'stock-kinds': stockKinds };

function isolate(): void {
  const script = [
    'mount --make-rprivate /',
    'mount -t tmpfs none /run',
    'mkdir -p /run/netns /run/upper /run/work',
    'mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work none /etc',
    // /sys shows the namespace that mounted it.
    'mount -t sysfs none /sys',
    'ip link set dev lo up',
  ];
  execFileSync('sh', ['-ec', script.join('\n')], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** What the last op came to; an earlier one that fails is told as it is. */
function tell(kernel: LinuxKernel, { ops, undo }: Story): string {
  const last = ops.slice(-1);
  const first = kernel.run([...beginning, ...ops.slice(0, -1)]);
  if ('failure' in first) return `${first.done}: ${first.failure.code} ${first.failure.message}`;
  if (undo !== undefined) {
    const { failure } = kernel.undo(undo);
    if (failure !== undefined) return `undo: ${failure.message}`;
  }
  const result = kernel.run(last);
  return 'failure' in result ? result.failure.code : 'ok';
}

function contract(): unknown {
  return stories.map((story) => {
    if (story.needs !== undefined && !hasLinkKind(story.needs))
      return [story.title, `kernel lacks: ${story.needs}`];
    const lab = 'story' as LabName;
    const kernel = new LinuxKernel();
    kernel.openLab(lab);
    const said = tell(kernel, story);
    for (const op of planDown(undoFactsOfNames(lab, ['a', 'b'] as never))) kernel.undo(op);
    spawnSync('ip', ['link', 'del', 'dev', 'h']);
    kernel.close();
    return [story.title, said];
  });
}

/** wg(8) is not everywhere, and the commands of the file change what is compared. */
function comparedOps(lab: Lab): Op[] {
  return planLab(lab).filter(({ kind }) => kind !== 'setWireguard' && kind !== 'runCommand');
}

function placesOf(lab: Lab): (string | null)[] {
  return [...lab.nodes.map(({ place }) => place).filter((place) => place !== null), null];
}

/** What is there, but for what the kernel rolled for the port of a bond. */
function show(places: readonly (string | null)[]): (readonly [string, readonly string[]])[] {
  const hide = (line: string): string =>
    line.replaceAll(/"perm_hwaddr":"[^"]*"/g, '"perm_hwaddr":"(random)"');
  return [...dumpPlaces(places)].map(([section, lines]) => [section, lines.map(hide).sort()]);
}

function byScript(lab: Lab): unknown {
  bash(explainUp(lab, comparedOps(lab)));
  const dump = show(placesOf(lab));
  bash(explainDown(lab, comparedOps(lab)));
  return { dump, after: show([null]) };
}

function bash(script: string): void {
  const { status, stderr } = spawnSync('bash', ['--norc'], { input: script, encoding: 'utf8' });
  if (status !== 0 || stderr !== '') throw new Error(`the script ended with ${status}: ${stderr}`);
}

function byPort(lab: Lab): unknown {
  const kernel = new LinuxKernel();
  kernel.openLab(lab.name);
  const ops = comparedOps(lab);
  const facts = undoFacts(lab.name, ops, kernel);
  const result = kernel.run(ops);
  if ('failure' in result) throw new Error(`op ${result.done}: ${result.failure.message}`);
  const dump = show(placesOf(lab));
  for (const op of planDown(facts)) {
    const { failure, notes } = kernel.undo(op);
    if (failure !== undefined || notes.length > 0) throw new Error(`${failure?.message} ${notes.join()}`);
  }
  kernel.close();
  return { dump, after: show([null]) };
}

const [what = '', name = ''] = process.argv.slice(2);
isolate();
const before = show([null]);
const lab = labs[name];
const answer =
  what === 'contract'
    ? contract()
    : lab === undefined
      ? undefined
      : what === 'up'
        ? byPort(lab())
        : byScript(lab());
if (answer === undefined) throw new Error(`no such lab: ${name}`);
process.stdout.write(JSON.stringify({ before, answer }));
