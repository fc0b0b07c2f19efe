// The graph as SVG 1.1, which browsers, LibreOffice and Inkscape show alike: presentation attributes and no style sheet, no script
// and nothing from elsewhere. All text is escaped for XML.

import { type Box, deviceLine, headPlace, type Side, type Slot } from './box.ts';
import type { Edge, End, Graph, Port, Vertex } from './graph.ts';
import type { Line, Stroke } from './group.ts';
import { layoutGraph } from './layout.ts';
import {
  boldWidth,
  LINE,
  NAME_SIZE,
  NOTE_SIZE,
  noteWidth,
  PORT_SIZE,
  shortened,
  TITLE_SIZE,
} from './measure.ts';
import { isDown, isImpaired, kindNames, kindsOf, palette } from './style.ts';

const SANS = 'DejaVu Sans,Verdana,Liberation Sans,Arial,sans-serif';
const MONO = 'DejaVu Sans Mono,Menlo,Consolas,Liberation Mono,monospace';
const MARGIN = 28;
const TITLE_HEIGHT = 54;
const LEGEND_HEIGHT = 34;
const INK = '#1a1f24';
const FAINT = '#55626c';
const BAD = '#c62828';
const GOOD = '#2e7d32';
const WAITING = '#f9a825';
const IMPAIRED = '#a65a00';

const WIRES: Readonly<
  Record<
    Edge['kind'],
    { readonly colour: string; readonly width: number; readonly dash?: string; readonly name: string }
  >
> = {
  wire: { colour: '#37474f', width: 2, name: 'wire (veth)' },
  inside: { colour: '#78909c', width: 1.5, dash: '2 3', name: 'bridge inside a node' },
  tunnel: { colour: '#7b3fb3', width: 2.5, dash: '9 4', name: 'tunnel' },
  upper: { colour: '#7b3fb3', width: 1.5, dash: '3 3', name: 'stands on' },
  shared: { colour: '#78909c', width: 1.5, dash: '6 3', name: 'same network namespace' },
};

/** A picture, and how large it is. */
export type Picture = { readonly svg: string; readonly width: number; readonly height: number };

/** Where what a box or a line has beyond its labels goes: a `title`, which viewers show, or an attribute for a script. */
export type Details = 'title' | 'data';

/** An SVG document. */
export function svgText(graph: Graph, details: Details = 'title'): string {
  return drawSvg(graph, details).svg;
}

/** The same with its size. */
export function drawSvg(graph: Graph, details: Details): Picture {
  const group = layoutGraph(graph);
  const title = shortened(`${graph.lab}`, 80);
  const about = shortened((graph.description ?? '').trim().replaceAll(/\s+/g, ' '), 120);
  const legend = legendItems(graph);
  const legendWidth = legend.reduce((sum, { width }) => sum + width, 0);
  const inner = Math.max(group.width, legendWidth, boldWidth(title, TITLE_SIZE), noteWidth(about, 12));
  const width = Math.ceil(inner + 2 * MARGIN);
  const height = Math.ceil(group.height + TITLE_HEIGHT + LEGEND_HEIGHT + 2 * MARGIN);
  const dx = MARGIN + (inner - group.width) / 2;
  const dy = MARGIN + TITLE_HEIGHT;
  const said = graph.source === 'kernel' ? 'as the kernel has it' : '';
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text({ x: MARGIN, y: MARGIN + 14, size: TITLE_SIZE, family: SANS, bold: true }, title),
    text(
      { x: MARGIN, y: MARGIN + 34, size: 12, family: SANS, fill: FAINT },
      [about, said].filter((one) => one !== '').join(' · '),
    ),
    `<g transform="translate(${round(dx)} ${round(dy)})">`,
    ...group.lines.map((line) => lineSvg(graph, line, details)),
    ...group.boxes.map((box) => boxSvg(box, graph, details)),
    ...group.lines.map((line) => crossSvg(graph, line)),
    '</g>',
    ...legendSvg(legend, height - MARGIN),
    '</svg>',
    '',
  ].join('\n');
  return { svg, width, height };
}

function lineSvg(graph: Graph, line: Line, details: Details): string {
  const edge = graph.edges[line.edge];
  if (edge === undefined) return '';
  const { width, dash } = WIRES[edge.kind];
  const pattern = isDown(edge) ? '5 4' : dash;
  const dashes = pattern === undefined ? '' : ` stroke-dasharray="${pattern}"`;
  const path = `<path d="${pathOf(line)}" fill="none" stroke="${colourOf(edge)}" stroke-width="${width}"${dashes}/>`;
  // A wire is thin to hit with a pointer.
  const target =
    details === 'data'
      ? `<path d="${pathOf(line)}" fill="none" stroke="transparent" stroke-width="12"/>`
      : '';
  return wrapped(details, edgeDetails(edge), `${path}${target}`);
}

function colourOf(edge: Edge): string {
  if (isDown(edge)) return BAD;
  return isImpaired(edge) ? IMPAIRED : WIRES[edge.kind].colour;
}

function pathOf({ from, strokes }: Line): string {
  const numbers = (stroke: Stroke): string => stroke.map(({ x, y }) => `${round(x)} ${round(y)}`).join(' ');
  const words = strokes.map((stroke) => `${stroke.length === 1 ? 'L' : 'C'}${numbers(stroke)}`);
  return `M${round(from.x)} ${round(from.y)}${words.join('')}`;
}

/** A cross in the middle of a line that is down, for whoever sees no red. */
function crossSvg(graph: Graph, line: Line): string {
  const edge = graph.edges[line.edge];
  if (edge === undefined || !isDown(edge)) return '';
  const { x, y } = middleOf(line);
  const arm = 4;
  return (
    `<circle cx="${round(x)}" cy="${round(y)}" r="8" fill="#ffffff" stroke="${BAD}" stroke-width="1.5"/>` +
    `<path d="M${round(x - arm)} ${round(y - arm)}l8 8m0 -8l-8 8" stroke="${BAD}" stroke-width="2"/>`
  );
}

/** In the longest stroke. */
function middleOf({ from, strokes }: Line): { readonly x: number; readonly y: number } {
  let [best, at, longest] = [from, from, -1];
  for (const stroke of strokes) {
    const to = stroke[stroke.length - 1] ?? at;
    const length = Math.hypot(to.x - at.x, to.y - at.y);
    // The curves are symmetric, so their middle is that of the straight line.
    if (length > longest) [best, longest] = [{ x: (at.x + to.x) / 2, y: (at.y + to.y) / 2 }, length];
    at = to;
  }
  return best;
}

function boxSvg(box: Box, graph: Graph, details: Details): string {
  const { x, y, width, height, vertex, name, notes, devices, slots } = box;
  const { fill, stroke } = palette[vertex.kind];
  const isBad = vertex.state !== undefined && !['running', 'created'].includes(vertex.state);
  const { centre, top } = headPlace(box);
  let line = top + NAME_SIZE;
  const parts = [
    `<rect x="${round(x)}" y="${round(y)}" width="${width}" height="${height}" rx="8" fill="${fill}" stroke="${isBad ? BAD : stroke}" stroke-width="${isBad ? 2.5 : 1.8}"/>`,
    text({ x: centre, y: line, size: NAME_SIZE, family: SANS, bold: true, middle: true }, name),
  ];
  line += 5;
  for (const note of notes) {
    line += LINE;
    const colour = note === vertex.state ? (isBad ? BAD : GOOD) : FAINT;
    parts.push(
      text({ x: centre, y: line - 2, size: NOTE_SIZE, family: SANS, fill: colour, middle: true }, note),
    );
  }
  for (const device of devices) {
    line += LINE;
    const wrong = device.state !== undefined && device.state !== 'up';
    const colour = wrong ? BAD : INK;
    parts.push(
      text(
        { x: centre, y: line - 2, size: PORT_SIZE, family: MONO, fill: colour, middle: true },
        deviceLine(device),
      ),
    );
  }
  for (const side of Object.keys(slots) as Side[]) {
    for (const slot of slots[side]) parts.push(slotSvg(slot, stroke, graph));
  }
  return wrapped(details, vertexDetails(vertex), parts.join(''));
}

function slotSvg(slot: Slot, stroke: string, graph: Graph): string {
  const { x, y, width, height, lines, at, port } = slot;
  const edge = graph.edges[slot.edge];
  const frame =
    lines.length === 0
      ? ''
      : `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${height}" rx="4" fill="#ffffff" stroke="${stroke}" stroke-opacity="0.45"/>`;
  const { about, addresses = [], state } = port;
  const facts = (about === undefined ? 0 : 1) + addresses.length;
  const wrong = state !== undefined && state !== 'up';
  const rows = lines.map((line, i) => {
    const isLast = i === lines.length - 1;
    const colour = i === 0 ? INK : i <= facts ? FAINT : wrong && isLast ? BAD : IMPAIRED;
    const place = { x: x + width / 2, y: y + 13 + i * LINE, size: PORT_SIZE, family: MONO };
    return text(
      {
        ...place,
        bold: i === 0,
        fill: i > 0 && i <= facts && i !== (about === undefined ? 0 : 1) ? INK : colour,
        middle: true,
      },
      line,
    );
  });
  const dot = `<circle cx="${round(at.x)}" cy="${round(at.y)}" r="4" fill="${dotColour(port)}" stroke="${edge === undefined ? stroke : colourOf(edge)}" stroke-width="1.5"/>`;
  return `${frame}${rows.join('')}${dot}`;
}

function dotColour({ state }: End): string {
  if (state === undefined) return '#ffffff';
  if (state === 'up') return '#43a047';
  return state === 'no carrier' ? WAITING : BAD;
}

type LegendItem = { readonly svg: (x: number, y: number) => string; readonly width: number };

function legendItems(graph: Graph): LegendItem[] {
  const item = (label: string, sign: (x: number, y: number) => string): LegendItem => ({
    svg: (x, y) =>
      sign(x, y) + text({ x: x + 30, y: y + 4, size: NOTE_SIZE, family: SANS, fill: FAINT }, label),
    width: 30 + noteWidth(label) + 22,
  });
  const stroke = (colour: string, width: number, dash?: string) => (x: number, y: number) =>
    `<path d="M${round(x)} ${y}h24" stroke="${colour}" stroke-width="${width}"${dash === undefined ? '' : ` stroke-dasharray="${dash}"`}/>`;
  const kinds = kindsOf(graph).map((kind) => {
    const { fill, stroke: border } = palette[kind];
    return item(
      kindNames[kind],
      (x, y) =>
        `<rect x="${round(x)}" y="${y - 7}" width="22" height="14" rx="3" fill="${fill}" stroke="${border}" stroke-width="1.5"/>`,
    );
  });
  const wires = (Object.keys(WIRES) as Edge['kind'][])
    .filter((kind) => graph.edges.some((edge) => edge.kind === kind))
    .map((kind) => item(WIRES[kind].name, stroke(WIRES[kind].colour, WIRES[kind].width, WIRES[kind].dash)));
  return [
    ...kinds,
    ...wires,
    ...(graph.edges.some(isImpaired) ? [item('impaired', stroke(IMPAIRED, 2))] : []),
    ...(graph.edges.some(isDown) ? [item('down', stroke(BAD, 2, '5 4'))] : []),
  ];
}

function legendSvg(items: readonly LegendItem[], y: number): string[] {
  let x = MARGIN;
  return items.map(({ svg, width }) => {
    const drawn = svg(x, y);
    x += width;
    return drawn;
  });
}

type TextStyle = {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly family: string;
  readonly bold?: boolean;
  readonly fill?: string;
  readonly middle?: boolean;
};

function text({ x, y, size, family, bold, fill = INK, middle }: TextStyle, content: string): string {
  if (content === '') return '';
  const weight = bold === true ? ' font-weight="bold"' : '';
  const anchor = middle === true ? ' text-anchor="middle"' : '';
  return `<text x="${round(x)}" y="${round(y)}" font-family="${family}" font-size="${size}" fill="${fill}"${weight}${anchor}>${escapeXml(content)}</text>`;
}

function wrapped(details: Details, lines: readonly string[], content: string): string {
  const about = escapeXml(lines.join('\n'));
  if (details === 'title') return `<g>${about === '' ? '' : `<title>${about}</title>`}${content}</g>`;
  return `<g data-about="${about.replaceAll('\n', '&#10;')}">${content}</g>`;
}

function vertexDetails({ name, kind, node, tags, state, devices, routes }: Vertex): string[] {
  return [
    name === node ? `${name}: ${kind}` : `${name}: ${kind} in ${node}`,
    ...tags,
    ...(state === undefined ? [] : [state]),
    ...devices.map(portDetails),
    ...routes.map((route) => `route ${route}`),
  ];
}

function edgeDetails({ kind, ends }: Edge): string[] {
  return [
    WIRES[kind].name,
    ...ends.map((end) => {
      const { ifname, addresses = [] } = end;
      return ifname === undefined
        ? end.vertex
        : `${end.vertex}:${portDetails({ ...end, ifname, addresses })}`;
    }),
  ];
}

function portDetails({ ifname, about, addresses, mac, mtu, state, impair = [] }: Port): string {
  const words = [
    ifname,
    ...(about === undefined ? [] : [`(${about})`]),
    ...addresses,
    ...(mac === undefined ? [] : [mac]),
    ...(mtu === undefined ? [] : [`mtu ${mtu}`]),
    ...impair,
    ...(state === undefined ? [] : [state]),
  ];
  return words.join(' ');
}

/** A text for XML, in content and in attributes. What XML cannot hold at all becomes the replacement character. */
export function escapeXml(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replace(notXml, '\ufffd');
}

// https://www.w3.org/TR/xml/#charsets
const notXml =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;

/** A tenth of a pixel is enough, and keeps files small. */
function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
