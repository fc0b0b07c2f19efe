// `npm run bench`: how long nslab takes to bring labs up and down and to run a command in a node, beside a C program that makes
// the same objects with the fewest system calls (limit.c), `ip -batch` and one `ip` per command. Rounds are interleaved, medians
// are printed, ratios are what counts. It is no test: it asserts nothing, except that nothing is left behind.
//
// It writes to stdout only (--json FILE: the figures as well), and takes down what it made, also after Ctrl-C.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchCapture, type CaptureFigures } from './capture.ts';
import { benchContainers, type ContainerFigures } from './containers.ts';
import { type ContenderName, contenderNames, type Tools } from './contenders.ts';
import { compareObjects } from './equal.ts';
import { runLimitStages } from './limit-stages.ts';
import { benchExec, benchLabs, type ExecFigures, type LabFigures } from './rounds.ts';
import { Runner } from './runner.ts';
import type { Shape } from './shapes.ts';
import { msText, ratioText, tableText } from './stats.ts';
import { compile, footprint, isInside, leftovers, openWorkspace, runInside } from './workspace.ts';

const USAGE = `usage: npm run bench -- [OPTION]...
  --n 10,100,500,1000   sizes
  --rounds 5            rounds of each size
  --only star,ring      shapes, and exec, containers, capture
  --script-max 100      largest size for one ip per command
  --without NAME,...    leave out limit, nslab, ip-batch or ip-script
  --big                 also a star of 4096 nodes on 5 bridges
  --stages              only limit.c: what each stage and each variant costs
  --host-run            use the machine's own /run, not one of our own
  --json FILE           write the figures there too
`;

/** `ip -batch` needs minutes for more. */
const BATCH_MAX = 1023;
const root = join(import.meta.dirname, '../..');

type Options = {
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly only: readonly string[];
  readonly scriptMax: number;
  readonly without: readonly string[];
  readonly big: boolean;
  readonly stages: boolean;
  readonly hostRun: boolean;
  readonly json: string | undefined;
};

function numbers(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.some((value) => !Number.isInteger(value) || value < 1)) throw new Error(`not a number: ${text}`);
  return values;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      n: { type: 'string', default: '10,100,500,1000' },
      rounds: { type: 'string', default: '5' },
      only: { type: 'string', default: 'star,ring,exec,containers,capture' },
      'script-max': { type: 'string', default: '100' },
      without: { type: 'string', default: '' },
      big: { type: 'boolean', default: false },
      stages: { type: 'boolean', default: false },
      'host-run': { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    sizes: numbers(values.n),
    rounds: numbers(values.rounds)[0] ?? 1,
    only: values.only.split(','),
    scriptMax: numbers(values['script-max'])[0] ?? 1,
    without: values.without.split(','),
    big: values.big,
    stages: values.stages,
    hostRun: values['host-run'],
    json: values.json,
  };
}

function print(text: string): void {
  process.stdout.write(text);
}

function shapesOf(options: Options): Shape[] {
  return (['star', 'ring'] as const).filter((shape) => options.only.includes(shape));
}

/** Those that take part in labs of the size. */
function contendersFor(options: Options, n: number): ContenderName[] {
  return contenderNames.filter((name) => {
    if (options.without.includes(name)) return false;
    if (name === 'nslab') return isBuilt();
    if (name === 'ip-batch' && n > BATCH_MAX) return false;
    return name !== 'ip-script' || n <= options.scriptMax;
  });
}

function isBuilt(): boolean {
  return existsSync(join(root, 'dist/nslab.js')) && existsSync(join(root, 'dist/nslab-helper'));
}

function printLab(lab: LabFigures): void {
  const base = lab.figures.find(({ name }) => name === 'limit')?.up;
  const batch = lab.figures.find(({ name }) => name === 'ip-batch')?.up;
  const downBase = lab.figures.find(({ name }) => name === 'limit')?.down;
  const rows = lab.figures.map((f) => [
    f.name,
    msText(f.up),
    `${msText(f.upLeast)}-${msText(f.upMost)}`,
    ratioText(f.up, base),
    ratioText(f.up, batch),
    (f.up / lab.n).toFixed(2),
    f.own === undefined ? '' : msText(f.own),
    msText(f.down),
    ratioText(f.down, downBase),
    msText(f.freed),
    (f.rssKib / 1024).toFixed(1),
    f.descriptors === undefined ? '' : String(f.descriptors),
  ]);
  const head = ['up', 'ms', 'range', '/limit', '/batch', 'ms/node', 'in Node'];
  const title = `${lab.shape} of ${lab.n}`;
  print(`\n${title}, ${lab.rounds} rounds\n`);
  print(tableText([...head, 'down ms', '/limit', 'freed ms', 'RSS MiB', 'fds'], rows));
}

function printExec(figures: readonly ExecFigures[]): void {
  print('\nexec true, ms (medians)\n');
  const rows = figures.map(({ n, nslab, ip }) => [
    `lab of ${n}`,
    nslab === undefined ? '-' : msText(nslab),
    msText(ip),
    nslab === undefined ? '-' : ratioText(nslab, ip),
  ]);
  print(tableText(['', 'nslab exec', 'ip netns exec', 'ratio'], rows));
}

function printContainers({ one, many, monitor }: ContainerFigures): void {
  const row = (title: string, ms: number, crun: number): string[] => [
    title,
    msText(ms),
    msText(crun),
    ratioText(ms, crun),
  ];
  print('\ncontainers, ms (medians)\n');
  const rows = [
    row('one, true', one.nslab, one.crun),
    row('the same with the seccomp filter', one.filtered, one.crun),
    row('up of 50 on a switch, with Node', many.nslab, many.crun),
    row('down of 50', many.down, Number.NaN),
  ];
  print(tableText(['', 'nslab', 'crun', 'ratio'], rows));
  print(
    `a monitor, of 50: ${monitor.pss.toFixed(0)} KiB proportional, ${monitor.private.toFixed(0)} KiB private\n`,
  );
}

function printCapture(figures: readonly CaptureFigures[]): void {
  print('\ncapture of both ends of a wire into a file, packets of UDP\n');
  const rows = figures.map(({ bytes, asked, rate, captured, lost }) => [
    `${bytes} bytes, ${asked} a second asked`,
    rate.toFixed(0),
    String(captured),
    String(lost),
  ]);
  print(tableText(['', 'sent a second', 'captured', 'lost'], rows));
}

async function measure(options: Options, tools: Tools, runner: Runner): Promise<void> {
  if (options.stages) {
    for (const shape of shapesOf(options)) {
      for (const n of options.sizes)
        print(await runLimitStages(runner, tools, { shape, n, rounds: options.rounds }));
    }
    return;
  }
  if (!isBuilt()) print('nslab is left out: dist/nslab.js is missing (npm run build)\n');
  for (const shape of shapesOf(options)) {
    print(await compareObjects(runner, tools, { names: contendersFor(options, 3), shape }));
  }
  const labs: LabFigures[] = [];
  const plans = shapesOf(options).flatMap((shape) =>
    options.sizes.map((n) => ({ shape, n, rounds: options.rounds })),
  );
  if (options.big) plans.push({ shape: 'star', n: 4096, rounds: 1 });
  for (const plan of plans) {
    // A ring needs two ends.
    if (plan.n < 2) continue;
    const lab = await benchLabs(runner, tools, { ...plan, names: contendersFor(options, plan.n) });
    labs.push(lab);
    printLab(lab);
  }
  let exec: ExecFigures[] = [];
  if (options.only.includes('exec')) {
    exec = await benchExec(runner, tools, { sizes: [2, 500], rounds: options.rounds, nslab: isBuilt() });
    printExec(exec);
  }
  let containers: ContainerFigures | undefined;
  if (options.only.includes('containers') && isBuilt()) {
    containers = await benchContainers(runner, tools, options.rounds);
    if (containers === undefined) print('\ncontainers are left out: no static busybox (busybox-static)\n');
    else printContainers(containers);
  }
  let capture: CaptureFigures[] = [];
  if (options.only.includes('capture') && isBuilt()) {
    capture = await benchCapture(runner, tools);
    printCapture(capture);
  }
  if (options.json !== undefined) {
    const summary = { node: process.version, ownRun: isInside(), labs, exec, containers, capture };
    writeFileSync(options.json, `${JSON.stringify(summary, undefined, 1)}\n`);
  }
}

/** Tells what differs from before. True when none of it bears our names: others may work on the machine at the same time. */
function isClean(before: readonly string[]): boolean {
  const after = footprint();
  const left = after.filter((line) => !before.includes(line));
  const lost = before.filter((line) => !after.includes(line));
  for (const line of left) print(`there now, not before: ${line}\n`);
  for (const line of lost) print(`there before, not now: ${line}\n`);
  const ours = leftovers();
  print(ours.length === 0 ? '\nnothing of ours left behind\n' : `\nleft behind:\n  ${ours.join('\n  ')}\n`);
  return ours.length === 0;
}

async function bench(options: Options): Promise<number> {
  const old = leftovers();
  if (old.length > 0) {
    print(`refused: something is up that would be in the way:\n  ${old.join('\n  ')}\n`);
    return 1;
  }
  using workspace = openWorkspace();
  const before = footprint();
  const runner = new Runner(compile(workspace, 'stopwatch'), compile(workspace, 'limit'));
  const tools = { folder: workspace.folder, limit: runner.limit, nslab: join(root, 'bin/nslab') };
  const stop = (): void => runner.stop();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  print(`Node ${process.version}, ${workspace.ownRun ? '/run is our own tmpfs' : "the machine's /run"}\n`);
  let failure: unknown;
  try {
    await measure(options, tools, runner);
  } catch (error) {
    failure = error;
  }
  // After Ctrl-C there is no need for the kernel to be done.
  if (!runner.stopped) await runner.settle();
  const clean = isClean(before);
  if (failure !== undefined) {
    print(`${failure instanceof Error ? failure.message : String(failure)}\n`);
    return runner.stopped ? 130 : 1;
  }
  return clean ? 0 : 1;
}

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions();
  } catch (error) {
    print(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  if (options === undefined) {
    print(USAGE);
    return 0;
  }
  if (process.geteuid?.() !== 0) {
    print('root is needed\n');
    return 1;
  }
  return isInside() || options.hostRun ? await bench(options) : await runInside();
}

process.exitCode = await main();
