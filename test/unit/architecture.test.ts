// The arrows between the rooms of src/, read from the sources' import statements and enforced.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { arrows, arrowsAsMarkdown, arrowsOfDocument, importsOf, violations } from '../support/arrows.ts';

const root = join(import.meta.dirname, '../..');

function readSources(): Map<string, string> {
  const folder = join(root, 'src');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.ts'));
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** What is found wrong when one file has one line more. */
function planted(file: string, line: string): string[] {
  const sources = readSources();
  sources.set(file, `${sources.get(file) ?? ''}\n${line}\n`);
  const before = new Set(violations(readSources()));
  return violations(sources).filter((text) => !before.has(text));
}

test('no room imports what it may not', () => {
  assert.deepEqual(violations(readSources()), []);
});

test('every room of src/ has its arrows', () => {
  const rooms = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    // The helper is C.
    .filter((name) => name !== 'helper');
  for (const room of rooms) assert.ok(room in arrows, `src/${room} has no row in the table`);
});

test('a planted violation is found', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      'plan/order.ts',
      `import { LinuxKernel } from '../kernel/linux.ts';`,
      /may not import kernel\/linux\.ts/,
    ],
    ['plan/order.ts', `import { readFileSync } from 'node:fs';`, /may not import node:fs: the room is pure/],
    [
      'plan/order.ts',
      `import {\n  compileTable,\n} from '../nfnl/compile.ts';`,
      /may not import nfnl\/compile\.ts/,
    ],
    ['plan/order.ts', `const now = Date.now();`, /uses Date\.now/],
    ['model/lab.ts', `export * from '../plan/op.ts';`, /may not import plan\/op\.ts/],
    ['base/ip.ts', `const x = await import('../model/lab.ts');`, /may not import model\/lab\.ts/],
    ['base/ip.ts', `const x = await import(name);`, /cannot be read from the source/],
    ['rtnl/link.ts', `import type { Lab } from '../model/lab.ts';`, /may not import model\/lab\.ts/],
    ['kernel/linux.ts', `import koffi from 'koffi';`, /may not import the package koffi/],
    ['kernel/linux.ts', `import 'netlink';`, /may not import the package netlink/],
    ['lab/up.ts', `import chalk from 'chalk';`, /may not import the package chalk/],
    ['lab/up.ts', `process.exit(1);`, /uses process\.exit, which only cli/],
    ['lab/up.ts', `import leftPad from 'left-pad';`, /which no room is given/],
    [
      'apply/apply.ts',
      `import { LinuxKernel } from '../kernel/linux.ts';`,
      /may not import kernel\/linux\.ts/,
    ],
    ['cli/main.ts', `import { planLab } from '../plan/order.ts';`, /may not import plan\/order\.ts/],
    ['cli/main.ts', `import { b } from '../../bin/build.ts';`, /not in src/],
    ['nfnl/text.ts', `import { openSync } from 'node:fs';`, /reached from plan .*imports node:fs/],
  ];
  for (const [file, line, expected] of cases) {
    const found = planted(file, line).join('\n');
    assert.match(found, expected, `${file} with: ${line}`);
  }
});

test('a type-only arrow lets types through and nothing else', () => {
  assert.deepEqual(planted('cli/main.ts', `import type { Op } from '../plan/op.ts';`), []);
  assert.deepEqual(planted('cli/main.ts', `import { type Op, type UndoOp } from '../plan/op.ts';`), []);
  assert.match(
    planted('cli/main.ts', `import { type Op, HOST_PROTOCOL } from '../plan/op.ts';`).join(),
    /plan\/op/,
  );
});

test('imports are read in every form they can have', () => {
  const source = [
    `import a from 'one';`,
    `import {\n  b,\n  type C,\n} from 'two';`,
    `import type { D } from 'three';`,
    `import 'four';`,
    `export { e } from 'five';`,
    `const f = await import('six');`,
    `import * as g from 'seven';`,
  ].join('\n');
  assert.deepEqual(
    importsOf(source)
      .map(({ specifier, typeOnly }) => `${specifier}${typeOnly ? ' type' : ''}`)
      .sort(),
    ['five', 'four', 'one', 'seven', 'six', 'three type', 'two'],
  );
});

test('ARCHITECTURE.md shows the arrows that are enforced', (t) => {
  const path = join(root, 'ARCHITECTURE.md');
  if (!existsSync(path)) {
    t.diagnostic('ARCHITECTURE.md is not written yet');
    return;
  }
  const shown = arrowsOfDocument(readFileSync(path, 'utf8'));
  assert.deepEqual(shown, arrows, `the table of ARCHITECTURE.md should be\n${arrowsAsMarkdown()}`);
});

test('a table of the form of ARCHITECTURE.md is read back as it was written', () => {
  assert.deepEqual(arrowsOfDocument(`# Rooms\n\n${arrowsAsMarkdown()}\n\ntext | with | bars\n`), arrows);
});
