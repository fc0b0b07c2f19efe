// A topology text straight to a lab or to its problems, for unit tests.

import type { Interface } from '../../src/model/interface.ts';
import type { Lab, Node } from '../../src/model/lab.ts';
import { type Checked, checkTree } from '../../src/topology/check.ts';
import { parseYaml } from '../../src/topology/parse.ts';
import { isError, pathText } from '../../src/topology/problems.ts';

type Options = {
  readonly env?: Record<string, string>;
  readonly vars?: Record<string, string>;
  readonly prefix?: string;
};

export function checkYaml(text: string, options: Options = {}): Checked {
  const parsed = parseYaml(text, 'lab.yaml');
  if (parsed.problems.length > 0) throw new Error(parsed.problems.map(({ message }) => message).join('; '));
  return checkTree(parsed.value, { env: {}, defaultName: 'lab', ...options });
}

/** The lab of a text that must have no mistake; warnings are allowed. */
export function labOf(text: string, options: Options = {}): Lab {
  const { lab, problems } = checkYaml(text, options);
  if (lab === undefined)
    throw new Error(problems.map(({ message, path }) => `${pathText(path)}: ${message}`).join('; '));
  return lab;
}

/** `CODE path` of every error, in the order in which they were found. */
export function errorsOf(text: string, options: Options = {}): string[] {
  return checkYaml(text, options)
    .problems.filter(isError)
    .map(({ code, path }) => `${code} ${pathText(path)}`.trim());
}

export function nodeOf(lab: Lab, name: string): Node {
  const node = lab.nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

/** An interface by the name that the file has. */
export function interfaceOf(lab: Lab, node: string, name: string): Interface {
  const found = nodeOf(lab, node).interfaces.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no interface ${node}:${name}`);
  return found;
}

/** The addresses of an interface as text. */
export function addresses(lab: Lab, node: string, name: string): string[] {
  return interfaceOf(lab, node, name).addresses.map(({ ip }) => ip);
}
