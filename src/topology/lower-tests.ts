// The entries of `tests:`: which node, one probe, what is expected. Nothing is run here.

import type { NodeName } from '../base/names.ts';
import { parseDuration } from '../base/units.ts';
import type { TestProbe, TestSpec } from '../model/test-spec.ts';
import type { Lowering } from './draft.ts';
import { HOST } from './lower-nodes.ts';
import { type Path, pathText } from './problems.ts';
import type { TestFile } from './schema.ts';
import { quote, readUnit } from './values.ts';

const probes = ['ping', 'tcp', 'udp', 'http', 'run'] as const;

/** The tests of the lab. */
export function lowerTests(lab: Lowering): TestSpec[] {
  return (lab.file.tests ?? []).flatMap((file, index) => lowerTest(lab, file, ['tests', index]) ?? []);
}

function lowerTest(lab: Lowering, file: TestFile, path: Path): TestSpec | undefined {
  const { report } = lab;
  const node = lab.byName.get(file.from);
  if (node === undefined && file.from !== HOST) {
    const hint = report.nearName(file.from, () => [...lab.byName.keys(), HOST]);
    report.fail([...path, 'from'], 'NODE_UNDEFINED', `there is no node ${quote(file.from)}`, hint);
  }
  const probe = readProbe(lab, file, path);
  if (probe === undefined) return undefined;
  return {
    name: file.name ?? `${file.from}: ${describeProbe(probe)}`,
    from: (node?.name ?? file.from) as NodeName,
    probe,
    expect: readExpect(lab, file, path),
    within: readWithin(lab, file, path),
    points: file.points ?? 1,
    path: pathText(path),
  };
}

function readProbe(lab: Lowering, file: TestFile, path: Path): TestProbe | undefined {
  const given = probes.filter((kind) => file[kind] !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    const message =
      kind === undefined
        ? 'the test does nothing'
        : `a test does one thing, and this one has ${given.join(' and ')}`;
    return lab.report.fail(path, 'TEST_INVALID', message, `exactly one of ${probes.join(', ')}`);
  }
  const text = file[kind] ?? '';
  const at = [...path, kind];
  if (text.trim() === '') return lab.report.fail(at, 'TEST_INVALID', `\`${kind}\` is empty`);
  return probeOf(lab, { kind, text, at });
}

type Probe = { readonly kind: (typeof probes)[number]; readonly text: string; readonly at: Path };

function probeOf(lab: Lowering, { kind, text, at }: Probe): TestProbe | undefined {
  switch (kind) {
    case 'ping':
      return { kind, target: text };
    case 'tcp':
    case 'udp':
      if (hasPort(text)) return { kind, target: text };
      return lab.report.fail(at, 'TEST_INVALID', `${quote(text)} has no port`, `write ${text}:80`);
    case 'http':
      if (/^http:\/\/[^/\s]+/.test(text)) return { kind, url: text };
      return lab.report.fail(
        at,
        'TEST_INVALID',
        text.startsWith('https:') ? 'nslab speaks no https' : `${quote(text)} is not a web address`,
        text.startsWith('https:') ? `write run: "curl -fsS ${text}"` : `write http://${text}`,
      );
    case 'run':
      return { kind, command: text };
  }
}

/** `host:80`, `[2001:db8::1]:80`. */
function hasPort(text: string): boolean {
  const port = Number(/^(?:\[[^\]]+\]|[^:\s]+):([0-9]{1,5})$/.exec(text)?.[1]);
  return port >= 1 && port <= 65535;
}

/** What a test without a name is called, after the node. */
export function describeProbe(probe: TestProbe): string {
  switch (probe.kind) {
    case 'http':
      return `http ${probe.url}`;
    case 'run':
      return `run ${probe.command}`;
    case 'ping':
    case 'tcp':
    case 'udp':
      return `${probe.kind} ${probe.target}`;
  }
}

/** What each kind of test can be compared with. */
const comparable = {
  exit: ['run'],
  stdout: ['run', 'http'],
  status: ['http'],
} as const;

function readExpect(lab: Lowering, file: TestFile, path: Path): TestSpec['expect'] {
  const expect = file.expect ?? 'ok';
  const kind = probes.find((one) => file[one] !== undefined);
  if (typeof expect !== 'string') {
    for (const key of Object.keys(expect) as (keyof typeof comparable)[]) {
      if ((comparable[key] as readonly (string | undefined)[]).includes(kind)) continue;
      const message = `\`${key}\` can be expected of ${comparable[key].join(' and ')} only, and this is a ${kind}`;
      lab.report.add({ code: 'TEST_INVALID', message, path: [...path, 'expect', key], part: 'key' });
    }
  } else if (expect === 'unreachable' && kind === 'run') {
    lab.report.fail(
      [...path, 'expect'],
      'TEST_INVALID',
      'a command is not unreachable, it ends with a status',
      'write `expect: { exit: 1 }`',
    );
  }
  return expect;
}

function readWithin(lab: Lowering, file: TestFile, path: Path): number {
  const own = file.within !== undefined;
  const value = file.within ?? lab.file.defaults?.within;
  if (value === undefined) return 0;
  const micros = readUnit(parseDuration(value), {
    report: lab.report,
    path: own ? [...path, 'within'] : ['defaults', 'within'],
  });
  return Math.round((micros ?? 0) / 1000);
}
