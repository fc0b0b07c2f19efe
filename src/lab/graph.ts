// `nslab graph`: the picture of a file, or of a lab that is up, then with states and addresses as the kernel has them. Changes nothing.

import { statSync } from 'node:fs';
import { NslabError, type Problem } from '../base/error.ts';
import { dotText } from '../graph/dot.ts';
import type { Graph } from '../graph/graph.ts';
import { htmlText } from '../graph/html.ts';
import { type Live, type LiveNode, makeGraph } from '../graph/make-graph.ts';
import { mermaidText } from '../graph/mermaid.ts';
import { svgText } from '../graph/svg.ts';
import { type Paint, treeText } from '../graph/tree.ts';
import type { Kernel } from '../kernel/port.ts';
import { ownsNetns } from '../model/container.ts';
import type { Lab, Node } from '../model/lab.ts';
import { readLab } from '../state/store.ts';
import { onlyLab } from './list.ts';
import { load } from './load.ts';

export const graphFormats = ['ascii', 'mermaid', 'dot', 'svg', 'html', 'json'] as const;
export type GraphFormat = (typeof graphFormats)[number];

/** True where the word means a file and not a lab that is up: standard input, or what is a file and no folder. */
export function meansFile(word: string): boolean {
  if (word === '-') return true;
  const found = statSync(word, { throwIfNoEntry: false });
  // What looks like a path and is none gets the message that it is not there.
  return found === undefined ? /[/]|\.ya?ml$/.test(word) : !found.isDirectory();
}

/**
 * The picture of a file.
 * @throws NslabError with all problems of the file
 */
export function fileGraph(request: Parameters<typeof load>[0]): {
  readonly graph: Graph;
  readonly warnings: readonly Problem[];
} {
  const { lab, warnings } = load(request);
  return { graph: makeGraph(lab), warnings };
}

/**
 * The picture of a lab that is up; without a name of the only one.
 * @throws NslabError LAB_UNKNOWN, LAB_AMBIGUOUS, STATE_BROKEN
 */
export function liveGraph(name: string | undefined, kernel: Kernel): Graph {
  const lab = onlyLab(name);
  const model = readLab(lab);
  if (model === undefined) {
    throw new NslabError('STATE_BROKEN', `the record of lab ${lab} is not whole`, {
      hint: `nslab down ${lab} removes what is left`,
    });
  }
  kernel.openLab(lab);
  return makeGraph(model, readLive(model, kernel));
}

function readLive(lab: Lab, kernel: Kernel): Live {
  return new Map(lab.nodes.map((node) => [node.name, liveNode(node, kernel)]));
}

function liveNode(node: Node, kernel: Kernel): LiveNode {
  const status =
    node.container === undefined ? undefined : (kernel.readContainer(node.name)?.status ?? 'missing');
  const own = ownsNetns(node) ? kernel.readDevices(node.place) : [];
  if (own === undefined || own.length === 0)
    return { devices: own, ...(status === undefined ? {} : { status }) };
  const qdiscs = kernel.readQdiscs(node.place);
  const devices = own.map((device) => {
    const impair = qdiscs.get(device.ifname)?.impair;
    return impair === undefined ? device : { ...device, impair };
  });
  return { devices, ...(status === undefined ? {} : { status }) };
}

/** The graph as a document of that format. */
export function renderGraph(graph: Graph, format: GraphFormat, paint?: Paint): string {
  switch (format) {
    case 'ascii':
      return treeText(graph, paint);
    case 'mermaid':
      return mermaidText(graph);
    case 'dot':
      return dotText(graph);
    case 'svg':
      return svgText(graph);
    case 'html':
      return htmlText(graph);
    case 'json':
      return `${JSON.stringify(graph, null, 2)}\n`;
  }
}
