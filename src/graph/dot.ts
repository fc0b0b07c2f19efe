// The graph in the language of Graphviz (https://graphviz.org/doc/info/lang.html). Strings stand in double quotes, in which a
// backslash and a quote are escaped; a line break is written by us alone.

import type { Edge, End, Graph, Port, Vertex, VertexKind } from './graph.ts';
import { isDown, isImpaired, palette } from './style.ts';

const STYLES: Readonly<Record<Edge['kind'], string>> = {
  wire: 'solid',
  inside: 'dashed',
  tunnel: 'bold',
  upper: 'dotted',
  shared: 'dotted',
};

const SHAPES: Readonly<Record<VertexKind, string>> = {
  netns: 'box',
  router: 'ellipse',
  bridge: 'box3d',
  network: 'box3d',
  container: 'component',
  host: 'box',
};

/** A graph for `dot`, `neato` and the others. */
export function dotText(graph: Graph): string {
  const lines = [
    `graph ${quoted(graph.lab)} {`,
    '  graph [fontname="sans-serif", nodesep=0.6, ranksep=1.0];',
    '  node [fontname="sans-serif", style=filled];',
    '  edge [fontname="monospace", fontsize=9, labeldistance=2.5];',
    ...graph.vertices.map(vertexLine),
    ...graph.edges.map(edgeLine),
    '}',
    '',
  ];
  return lines.join('\n');
}

function vertexLine({ id, name, kind, tags, state, devices }: Vertex): string {
  const nature = [kind, ...tags, ...(state === undefined ? [] : [state])].join(', ');
  const { fill, stroke } = palette[kind];
  const label = joined([name, nature, ...devices.map((device) => portLines(device).join(' '))]);
  return `  ${quoted(id)} [label=${label}, shape=${SHAPES[kind]}, fillcolor="${fill}", color="${stroke}"];`;
}

function edgeLine(edge: Edge): string {
  const [a, b] = edge.ends;
  const attributes = [
    ...endLabel('taillabel', a),
    ...endLabel('headlabel', b),
    `style=${isDown(edge) ? 'dashed' : STYLES[edge.kind]}`,
    ...(isDown(edge) ? ['color="#c62828"'] : isImpaired(edge) ? ['color="#b26a00"'] : []),
  ];
  return `  ${quoted(a.vertex)} -- ${quoted(b.vertex)} [${attributes.join(', ')}];`;
}

function endLabel(word: string, end: End): string[] {
  const { ifname, addresses = [] } = end;
  return ifname === undefined ? [] : [`${word}=${joined(portLines({ ...end, ifname, addresses }))}`];
}

function portLines({ ifname, about, addresses, impair = [], state }: Port): string[] {
  const head = about === undefined ? ifname : `${ifname} (${about})`;
  return [head, ...addresses, ...impair, ...(state === undefined || state === 'up' ? [] : [state])];
}

function joined(lines: readonly string[]): string {
  return `"${lines.map(escaped).join('\\n')}"`;
}

function quoted(text: string): string {
  return joined([text]);
}

function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll(/[\r\n]+/g, ' ');
}
