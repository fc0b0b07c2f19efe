// The colours and words that all pictures share. Fills are light enough for black text, and each kind has its own shade of grey as
// well, for whoever prints it.

import type { Edge, Graph, VertexKind } from './graph.ts';

export const palette: Readonly<Record<VertexKind, { readonly fill: string; readonly stroke: string }>> = {
  netns: { fill: '#e8f0fe', stroke: '#3367b0' },
  router: { fill: '#fdebd3', stroke: '#c77700' },
  bridge: { fill: '#e3f4e4', stroke: '#2e7d32' },
  network: { fill: '#d7f0ee', stroke: '#00796b' },
  container: { fill: '#f1e6fa', stroke: '#7b3fb3' },
  host: { fill: '#eceff1', stroke: '#455a64' },
};

/** What the kinds are called in a legend. */
export const kindNames: Readonly<Record<VertexKind, string>> = {
  netns: 'namespace',
  router: 'router',
  bridge: 'bridge',
  network: 'container network',
  container: 'container',
  host: 'the machine',
};

/** The kinds that occur, in the order of the palette. */
export function kindsOf({ vertices }: Pick<Graph, 'vertices'>): VertexKind[] {
  const kinds = new Set(vertices.map(({ kind }) => kind));
  return (Object.keys(palette) as VertexKind[]).filter((kind) => kinds.has(kind));
}

/** True where nothing passes. */
export function isDown({ ends }: Edge): boolean {
  return ends.some(({ state }) => state !== undefined && state !== 'up');
}

export function isImpaired({ ends }: Edge): boolean {
  return ends.some(({ impair = [] }) => impair.length > 0);
}
