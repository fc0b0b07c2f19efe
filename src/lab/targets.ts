// Which namespaces, and which interfaces of them, a command that looks at traffic or events means. Reads records only; the helper
// does the looking (src/helper/netns-list.h).

import { NslabError } from '../base/error.ts';
import type { LabName } from '../base/names.ts';
import { didYouMean } from '../base/suggest.ts';
import { networkOf, ownsNetns } from '../model/container.ts';
import type { Lab, Node } from '../model/lab.ts';
import { pinOf } from '../state/paths.ts';
import { listLabs, readLab } from '../state/store.ts';
import { onlyLab } from './list.ts';

/** One namespace. */
export type Target = {
  readonly node: string;
  /** The path that pins it; null for the machine's own. */
  readonly pin: string | null;
  /** These interfaces, which must be there. */
  readonly only: readonly string[];
  /** These, as far as they are there. */
  readonly maybe: readonly string[];
  /** All others but lo as well. */
  readonly others: boolean;
};

export type Targets = { readonly lab: Lab; readonly targets: readonly Target[] };

const HOST = 'host';

/**
 * What words `NODE` and `NODE:IFNAME` mean; without any, every namespace of the lab, and of the machine what the lab has made there.
 * @throws NslabError NODE_UNKNOWN, LAB_UNKNOWN, LAB_AMBIGUOUS, INTERFACE_UNKNOWN
 */
export function chooseTargets(words: readonly string[], lab?: string): Targets {
  const wanted = words.map(parseWord);
  const model = labOf(
    wanted.map(({ node }) => node),
    lab,
  );
  if (wanted.length === 0) return { lab: model, targets: allTargets(model) };
  const byNode = new Map<string, { only: string[]; others: boolean }>();
  for (const { node, ifname } of wanted) {
    const one = byNode.get(node) ?? { only: [], others: false };
    byNode.set(node, one);
    if (ifname === undefined) one.others = true;
    else if (!one.only.includes(ifname)) one.only.push(ifname);
  }
  const targets = [...byNode].map(([name, { only, others }]): Target => {
    // Of the machine only what the lab has made: all of it is nobody's lab.
    if (name === HOST)
      return { node: HOST, pin: null, only, maybe: others ? onMachine(model) : [], others: false };
    const node = findNode(model, name);
    if (node === undefined) throw unknownNode(name, [model]);
    return { node: node.name, pin: pinFor(model, node), only, maybe: [], others };
  });
  const empty = targets.find(({ pin, only, maybe }) => pin === null && only.length + maybe.length === 0);
  if (empty === undefined) return { lab: model, targets };
  throw new NslabError('INTERFACE_UNKNOWN', `lab ${model.name} has made no interface on the machine itself`, {
    hint: 'host:IFNAME names one of the machine',
  });
}

/** Every namespace of the lab once, and the machine's where the lab has made something there. */
export function allTargets(lab: Lab): Target[] {
  const own = lab.nodes.filter((node) => node.place !== null && ownsNetns(node));
  const targets = own.map(
    (node): Target => ({ node: node.name, pin: pinFor(lab, node), only: [], maybe: [], others: true }),
  );
  const made = onMachine(lab);
  return made.length === 0
    ? targets
    : [...targets, { node: HOST, pin: null, only: [], maybe: made, others: false }];
}

/** The interfaces that the lab has made on the machine itself. */
function onMachine(lab: Lab): string[] {
  return lab.nodes.flatMap((node) =>
    node.place === null ? node.interfaces.map(({ ifname }) => ifname) : [],
  );
}

function parseWord(word: string): { node: string; ifname: string | undefined } {
  const colon = word.indexOf(':');
  if (colon < 0) return { node: word, ifname: undefined };
  const ifname = word.slice(colon + 1);
  // dev_valid_name() in net/core/dev.c.
  if (!/^[^\s/:]{1,15}$/u.test(ifname) || colon === 0) {
    throw new NslabError('INTERFACE_UNKNOWN', `${JSON.stringify(word)} is not NODE or NODE:INTERFACE`);
  }
  return { node: word.slice(0, colon), ifname };
}

function findNode(lab: Lab, name: string): Node | undefined {
  return lab.nodes.find((node) => node.name === name) ?? lab.nodes.find((node) => node.place === name);
}

/** The path that pins the namespace a node is in; a container may be in that of another. */
function pinFor(lab: Lab, node: Node): string | null {
  const seen = new Set<string>();
  for (let at = node; !seen.has(at.name); ) {
    seen.add(at.name);
    const network = networkOf(at);
    if (network === 'host' || at.place === null) return null;
    if (network === 'own') return pinOf(lab.name, at.place);
    const next = findNode(lab, network.node);
    if (next === undefined) break;
    at = next;
  }
  throw new NslabError('NODE_UNKNOWN', `node ${node.name} is in the network of a node that is not up`);
}

function labOf(nodes: readonly string[], name: string | undefined): Lab {
  const named = nodes.filter((node) => node !== HOST);
  if (name !== undefined || named.length === 0) return modelOf(onlyLab(name));
  const all = listLabs().flatMap((lab) => readLab(lab) ?? []);
  const having = all.filter((lab) => named.every((node) => findNode(lab, node) !== undefined));
  const [only, second] = having;
  if (only !== undefined && second === undefined) return only;
  if (only !== undefined) {
    throw new NslabError(
      'LAB_AMBIGUOUS',
      `${having.length} labs have a node ${named.join(' and ')}: ${having.map((lab) => lab.name).join(', ')}`,
      { hint: `--lab ${only.name}` },
    );
  }
  const missing = named.find((node) => all.every((lab) => findNode(lab, node) === undefined));
  if (missing !== undefined || all.length === 0) throw unknownNode(missing ?? named[0] ?? '', all);
  throw new NslabError('NODE_UNKNOWN', `no lab has all of ${named.join(', ')}`, {
    hint: 'one command looks at nodes of one lab',
  });
}

function modelOf(lab: LabName): Lab {
  const model = readLab(lab);
  if (model !== undefined) return model;
  throw new NslabError('STATE_BROKEN', `the record of lab ${lab} is not whole`, {
    hint: `nslab down ${lab} removes what is left`,
  });
}

function unknownNode(name: string, labs: readonly Lab[]): NslabError {
  const names = [...new Set(labs.flatMap((lab) => lab.nodes.map((node) => node.name)))];
  const list =
    names.length === 0
      ? 'no lab is up'
      : `nodes that are up: ${names.slice(0, 8).join(', ')}${names.length > 8 ? ` and ${names.length - 8} more` : ''}`;
  return new NslabError('NODE_UNKNOWN', `no node ${JSON.stringify(name)} is up`, {
    hint: didYouMean(name, names) ?? list,
  });
}

/** The lines that the helper reads. */
export function targetLines(targets: readonly Target[]): string[] {
  return targets.flatMap(({ node, pin, only, maybe, others }) => [
    `netns ${node} ${pin ?? '-'}`,
    ...only.map((ifname) => `only ${ifname}`),
    ...maybe.map((ifname) => `maybe ${ifname}`),
    ...(others ? ['others'] : []),
  ]);
}

/** All of one lab: the one of that name, or the only one. */
export function labAsTargets(name?: string): Targets {
  const lab = modelOf(onlyLab(name));
  return { lab, targets: allTargets(lab) };
}

/** Those of the words that are labs. */
export function labsNamed(words: readonly string[]): string[] {
  const labs = new Set<string>(listLabs());
  return words.filter((word) => labs.has(word));
}

/** Every namespace of one lab or of all, each with its lab; none for a lab that is just being taken down. */
export function labTargets(name?: string): (Target & { readonly lab: string })[] {
  const labs = name === undefined ? listLabs() : listLabs().filter((lab) => lab === name);
  if (name !== undefined && labs.length === 0) onlyLab(name);
  return labs.flatMap((lab) => {
    const model = readLab(lab);
    return model === undefined ? [] : allTargets(model).map((target) => ({ ...target, lab }));
  });
}
