// The graph as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html), which GitHub and many editors draw. Every text
// stands in quotes, and what is not plain in it becomes an entity code, so that no name can end it.

import type { Edge, End, Graph, Port, Vertex, VertexKind } from './graph.ts';
import { isDown, kindsOf, palette } from './style.ts';

/** Mermaid's arrows without heads. */
const ARROWS: Readonly<Record<Edge['kind'], string>> = {
  wire: '---',
  inside: '-.-',
  tunnel: '===',
  upper: '-.-',
  shared: '-.-',
};

const SHAPES: Readonly<Record<VertexKind, readonly [string, string]>> = {
  netns: ['[', ']'],
  router: ['([', '])'],
  bridge: ['[[', ']]'],
  network: ['[[', ']]'],
  container: ['[', ']'],
  host: ['[', ']'],
};

/** The text of a flowchart. */
export function mermaidText(graph: Graph): string {
  const ids = new Map(graph.vertices.map(({ id }, i) => [id, `n${i}`]));
  const idOf = ({ vertex }: End): string => ids.get(vertex) ?? '';
  const vertices = graph.vertices.map((vertex, i) => {
    const [open, close] = SHAPES[vertex.kind];
    return `  n${i}${open}"${vertexLines(vertex).map(quoted).join('<br/>')}"${close}:::${vertex.kind}`;
  });
  const edges = graph.edges.map((edge) => {
    const [a, b] = edge.ends;
    const text = edge.ends.map(endText).filter((one) => one !== '');
    const label = text.length === 0 ? '' : `|"${text.map(quoted).join('<br/>')}"|`;
    return `  ${idOf(a)} ${ARROWS[edge.kind]}${label} ${idOf(b)}`;
  });
  const down = graph.edges.flatMap((edge, i) => (isDown(edge) ? [i] : []));
  return [
    'flowchart LR',
    ...vertices,
    ...edges,
    ...kindsOf(graph).map((kind) => {
      const { fill, stroke } = palette[kind];
      return `  classDef ${kind} fill:${fill},stroke:${stroke},color:#111`;
    }),
    ...(down.length === 0 ? [] : [`  linkStyle ${down.join(',')} stroke:#c62828,stroke-dasharray:4`]),
    '',
  ].join('\n');
}

function vertexLines({ name, kind, tags, state, devices }: Vertex): string[] {
  const nature = [kind, ...tags, ...(state === undefined ? [] : [state])].join(', ');
  return [name, nature, ...devices.map(portText)];
}

function portText({ ifname, about, addresses, impair = [], state }: Port): string {
  const note = about === undefined ? [] : [`(${about})`];
  const wrong = state === undefined || state === 'up' ? [] : [state];
  return [ifname, ...note, ...addresses, ...impair, ...wrong].join(' ');
}

function endText(end: End): string {
  const { ifname, addresses = [] } = end;
  return ifname === undefined ? '' : portText({ ...end, ifname, addresses });
}

function quoted(text: string): string {
  return text.replace(/[^A-Za-z0-9 .,:/()_-]/gu, (character) => `#${character.codePointAt(0)};`);
}
