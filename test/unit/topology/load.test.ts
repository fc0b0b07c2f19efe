// Files to labs: test of src/topology/load.ts.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words of the topology file

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NslabError } from '../../../src/base/error.ts';
import { loadLab, loadText } from '../../../src/topology/load.ts';
import { MAX_FILE_BYTES } from '../../../src/topology/parse.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'nslab-load-'));
});
after(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function failure(path: string): NslabError {
  try {
    loadLab({ path, env: {} });
  } catch (error) {
    if (error instanceof NslabError) return error;
    throw error;
  }
  throw new Error(`${path} was loaded`);
}

describe('a topology file', () => {
  it('becomes a lab with its text and its warnings', () => {
    const text = 'nodes: { a: {}, b: {} }\nlinks: [ { endpoints: [ "a:e", "b:e" ] } ]\n';
    const path = write('two nodes.clab.yml', text);
    const { lab, source, warnings } = loadLab({ path, env: {} });
    assert.equal(lab.name, 'two-nodes');
    assert.deepEqual(source, { file: path, text });
    assert.deepEqual(warnings, []);
  });

  it('takes variables and a prefix from outside', () => {
    const path = write(
      'vars.yaml',
      ['name: v', 'nodes: { a: { labels: { x: "${X}", y: "${Y:-z}" } } }'].join('\n'),
    );
    const { lab } = loadLab({ path, env: { X: 'e' }, vars: { Y: 'v' }, prefix: 'p-' });
    assert.equal(lab.name, 'p-v');
    assert.deepEqual(lab.nodes[0]?.labels, { x: 'e', y: 'v' });
    assert.throws(() => loadLab({ path, env: { X: 'e' }, vars: { Z: '1' } }), { code: 'USAGE' });
  });

  it('tells where a path of the lab stands, also under the wrapper of containerlab', () => {
    const plain = loadText('name: x\nnodes:\n  a: {}\n', { path: 'x', env: {} });
    assert.equal(plain.locate('nodes.a').line, 3);
    const wrapped = loadText('name: x\ntopology:\n  nodes:\n    a: { rootfs: y, cmd: z }\n', {
      path: 'x',
      env: {},
    });
    assert.deepEqual([wrapped.locate('nodes.a').line, wrapped.locate('nodes.a.command').col], [4, 26]);
  });

  it('with one mistake is that mistake, with several says how many', () => {
    const one = failure(write('one.yaml', 'nodes: { a: { kind: ruoter } }'));
    assert.deepEqual(
      [one.code, one.exitCode, one.where?.line, one.where?.col, one.problems.length],
      ['VALUE_UNKNOWN', 3, 1, 21, 1],
    );
    const two = failure(write('two.yaml', 'nodez: {}\nlinkz: {}'));
    assert.deepEqual([two.code, two.exitCode, two.problems.length], ['TOPOLOGY_INVALID', 3, 2]);
  });
});

describe('what is not a topology file', () => {
  it('is refused in plain words: nothing there, a folder, a device, too big', () => {
    assert.equal(failure(join(folder, 'nothing.yaml')).code, 'FILE_NOT_FOUND');
    assert.equal(failure(join(write('x.yaml', ''), 'below')).code, 'FILE_NOT_FOUND');
    assert.equal(failure(folder).code, 'FILE_UNREADABLE');
    assert.equal(failure('/dev/zero').code, 'FILE_UNREADABLE');
    assert.equal(failure(write('big.yaml', 'a'.repeat(MAX_FILE_BYTES + 1))).code, 'FILE_TOO_BIG');
    assert.equal(failure(write('binary.yaml', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0))).code, 'FILE_BINARY');
  });
});

describe('standard input', () => {
  const script = fileURLToPath(new URL('../../support/load-stdin.ts', import.meta.url));
  const load = (input: string) =>
    spawnSync(process.execPath, ['--import', 'tsx', script], { input, encoding: 'utf8' });

  it('is read for "-" to its end, and never more than a topology may have', () => {
    const text = `nodes: { a: {}, b: {} }\nlinks: [ { endpoints: [ "a:e", "b:e" ] } ]\nname: piped\n${'# filler\n'.repeat(20000)}`;
    assert.equal(load(text).stdout, 'piped\n');
    assert.equal(load('#'.repeat(MAX_FILE_BYTES + 100)).stdout, 'FILE_TOO_BIG\n');
  });

  it('has no name to call a lab by', () => {
    assert.throws(() => loadText('nodes: { a: {} }', { path: '<stdin>', env: {} }), { code: 'MISSING_KEY' });
  });
});
