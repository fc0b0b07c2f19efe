// `nslab run`: a lab of one container, from options instead of a file. It goes the way of every file (schema, rules, plan), so it
// can do what a file can and is refused what a file is.

import { randomBytes } from 'node:crypto';
import { NslabError } from '../base/error.ts';
import type { Lab } from '../model/lab.ts';
import { loadText } from '../topology/load.ts';
import { DEFAULT_NETWORK } from './default-network.ts';
import { machineFacts } from './machine.ts';

/** The keys of a container in a topology file. */
export type ContainerKeys = Readonly<Record<string, unknown>>;

/** A name nobody has chosen. */
export function newContainerName(): string {
  return `run-${randomBytes(4).toString('hex')}`;
}

/**
 * The lab whose one node is that container, and has its name. Without a `network_mode` it joins the network of the lab `default`,
 * which has to be up.
 * @throws NslabError with what is wrong with the keys
 */
export function labOfContainer(name: string, keys: ContainerKeys): Lab {
  const own = keys['network_mode'] === undefined;
  const networks = own ? { bridge: { external: true, name: DEFAULT_NETWORK } } : undefined;
  const all = own ? { ...keys, networks: ['bridge'] } : keys;
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  // Labels of the text: YAML is a superset of JSON. A `$` is a variable of the file there, and here itself.
  const text = JSON.stringify({ name, networks, nodes: { [name]: given } }).replaceAll('$', '$$$$');
  try {
    return loadText(text, { path: 'nslab run', env: {}, machine: machineFacts }).lab;
  } catch (error) {
    if (!(error instanceof NslabError)) throw error;
    const messages = error.problems.map(({ message }) => message);
    // The place would be one in a text that nobody wrote.
    throw new NslabError(error.code, messages.length > 0 ? messages.join('; ') : error.message, {
      hint: error.problems.find(({ hint }) => hint !== undefined)?.hint ?? error.hint,
    });
  }
}
