// `nslab graph` of a lab that is up: what the kernel has by now, also what somebody changed with ip(8); and of a file, without root.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Graph, Port } from '../../src/graph/graph.ts';
import { nslab, nslabOk, run, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-graph-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, 'lab.yaml');
writeFileSync(
  file,
  `
name: tgraph
nodes: { tgraph-a: {}, tgraph-b: {}, tgraph-c: {} }
links:
  - endpoints: [{ node: tgraph-a, interface: eth0, addresses: [10.200.1.1/24] }, "tgraph-b:eth0"]
  - endpoints: ["tgraph-b:eth1", "tgraph-c:eth0"]
`,
);

function ip(...words: string[]): void {
  assert.equal(run(['ip', ...words]).status, 0, words.join(' '));
}

function read(): Graph {
  return JSON.parse(nslabOk(['graph', 'tgraph', '--format', 'json'])) as Graph;
}

function portOf(graph: Graph, vertex: string, ifname: string): Partial<Port> | undefined {
  const ends = graph.edges.flatMap((edge) => edge.ends);
  return ends.find((end) => end.vertex === vertex && end.ifname === ifname);
}

test('a lab that is up is drawn as the kernel has it now', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using _lab = await upLab(file);
  const first = read();
  assert.equal(first.source, 'kernel');
  assert.deepEqual(portOf(first, 'tgraph-a', 'eth0')?.addresses, ['10.200.1.1/24']);
  assert.ok(first.edges.every(({ ends }) => ends.every(({ state }) => state === 'up')));

  ip('-n', 'tgraph-a', 'link', 'set', 'eth0', 'down');
  ip('-n', 'tgraph-b', 'addr', 'add', '10.200.9.9/24', 'dev', 'eth0');
  ip('-n', 'tgraph-c', 'link', 'add', 'own0', 'type', 'bridge');
  const changed = read();
  assert.equal(portOf(changed, 'tgraph-a', 'eth0')?.state, 'down');
  assert.equal(portOf(changed, 'tgraph-b', 'eth0')?.state, 'no carrier');
  assert.deepEqual(portOf(changed, 'tgraph-b', 'eth0')?.addresses, ['10.200.9.9/24']);
  assert.equal(portOf(changed, 'tgraph-b', 'eth1')?.state, 'up');
  const [own] = changed.vertices.find(({ id }) => id === 'tgraph-c')?.devices ?? [];
  assert.equal(own?.ifname, 'own0', 'what was made by hand is shown');

  const text = nslabOk(['graph', 'tgraph']);
  assert.match(text, /eth0 10\.200\.9\.9\/24 no carrier ─╳─ tgraph-a:eth0 10\.200\.1\.1\/24 down \(netns\)/);
  const picture = join(folder, 'lab.svg');
  assert.equal(nslabOk(['graph', 'tgraph', '-f', 'svg', '-o', picture]), '');
  assert.match(readFileSync(picture, 'utf8'), /stroke="#c62828"[^>]*stroke-dasharray/);

  ip('-n', 'tgraph-c', 'link', 'del', 'eth0');
  assert.equal(portOf(read(), 'tgraph-c', 'eth0')?.state, 'missing');
});

test('what cannot be drawn is told, each with its status', (t) => {
  const fails = (words: readonly string[], status: number, message: RegExp) => {
    const result = nslab(['graph', ...words]);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, message);
    assert.equal(result.stdout, '');
  };
  fails([join(folder, 'none.yaml')], 3, /FILE_NOT_FOUND/);
  fails([file, '--format', 'png'], 2, /USAGE/);
  fails([file, '-o', join(folder, 'none/lab.svg')], 4, /OUTPUT_WRITE/);
  fails(['tgraph', '--prefix', 'x-'], 2, /USAGE.*--prefix/);
  if (skipUnlessRoot(t, 'e2e')) return;
  fails(['tgraph-none'], 7, /LAB_UNKNOWN/);
});

test('a file is drawn from standard input as well', () => {
  const text = nslabOk(['graph', '-', '--prefix', 'x-'], { input: readFileSync(file, 'utf8') });
  assert.match(text, /^lab x-tgraph, as the file has it\n/);
});
