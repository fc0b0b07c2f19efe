// Runs the rules over a topology written as YAML, so that a test shows the lab that it is about. Not a test itself.

import assert from 'node:assert/strict';
import { lowerLab } from '../../../../src/topology/lower.ts';
import { parseYaml } from '../../../../src/topology/parse.ts';
import { pathText } from '../../../../src/topology/problems.ts';
import { checkRules } from '../../../../src/topology/rules/check.ts';
import { checkShape } from '../../../../src/topology/schema.ts';

/** What the rules find, as `error CODE path` or `warning CODE path`, in the order in which it is found. */
export function found(yaml: string): string[] {
  return checkRules(labOf(yaml)).map(
    ({ severity, code, path }) => `${severity ?? 'error'} ${code} ${pathText(path)}`,
  );
}

/** The messages of one code. */
export function messages(yaml: string, code: string): string[] {
  return checkRules(labOf(yaml))
    .filter((problem) => problem.code === code)
    .map(({ message }) => message);
}

/** A lab of wires: `wires` are pairs of ends, and nodes are given with the rest of their keys. */
export function labOf(yaml: string) {
  const parsed = parseYaml(yaml, 'test.yaml');
  assert.deepEqual(parsed.problems, []);
  const { file, issues } = checkShape(parsed.value);
  assert.deepEqual(issues, []);
  assert.ok(file !== undefined);
  const { draft, problems } = lowerLab(file, { defaultName: 'test' });
  assert.deepEqual(problems, [], 'the lab of this test is wrong before the rules see it');
  return draft;
}

type Wire = readonly [string, string];

/** Nodes as `name: interfaces`, each interface with its addresses, and the wires between them. */
export function wired(nodes: Readonly<Record<string, string>>, ...wires: readonly Wire[]): string {
  const lines = Object.entries(nodes).map(([name, keys]) => `  ${name}: ${keys}`);
  const links = wires.map(([a, b]) => `  - endpoints: ["${a}", "${b}"]`);
  return ['name: test', 'nodes:', ...lines, 'links:', ...(links.length === 0 ? ['  []'] : links), ''].join(
    '\n',
  );
}

/** The keys of a node with these addresses, one interface each: eth0, eth1, ... */
export function having(...addresses: readonly (string | readonly string[])[]): string {
  return `{ ${interfaces(...addresses)} }`;
}

export function interfaces(...addresses: readonly (string | readonly string[])[]): string {
  const each = addresses.map(
    (own, i) =>
      `eth${i}: { addresses: [${[own]
        .flat()
        .map((a) => `"${a}"`)
        .join(', ')}] }`,
  );
  return `interfaces: { ${each.join(', ')} }`;
}
