// `nslab graph`: a lab as a picture or as text. Names are made harmless for whatever shows the document, before it is drawn.

import { writeFileSync } from 'node:fs';
import { Chalk } from 'chalk';
import { NslabError } from '../../base/error.ts';
import { fileGraph, type GraphFormat, liveGraph, meansFile, renderGraph } from '../../lab/graph.ts';
import { assertRoot, openKernel } from '../../lab/kernel.ts';
import { useColour } from '../output/colour.ts';
import { visible, visibleLines } from '../output/visible.ts';
import { printWarnings } from '../output/warnings.ts';

type Args = { what?: string; prefix?: string; var?: string[]; format: GraphFormat; output?: string };
type Graph = Parameters<typeof renderGraph>[0];

export async function run({ what, prefix, var: vars, format, output }: Args): Promise<void> {
  const graph = await graphOf(what, { prefix, vars });
  const toTerminal = output === undefined || output === '-';
  // JSON has escapes of its own, and a program shall get what is there.
  const shown = format === 'json' ? graph : harmless(graph);
  const document = renderGraph(
    shown,
    format,
    toTerminal && useColour(process.stdout) ? painted() : undefined,
  );
  if (toTerminal) process.stdout.write(document);
  else writeDocument(output, document);
}

type FileOptions = { readonly prefix: string | undefined; readonly vars: string[] | undefined };

async function graphOf(what: string | undefined, { prefix, vars }: FileOptions): Promise<Graph> {
  if (what !== undefined && meansFile(what)) {
    const { graph, warnings } = fileGraph({ path: what, prefix, vars });
    await printWarnings(warnings);
    return graph;
  }
  if (prefix !== undefined || vars !== undefined) {
    throw new NslabError('USAGE', '--prefix and --var are for a file, and a lab that is up has its own', {
      hint: 'nslab graph FILE, or nslab graph LAB without them',
    });
  }
  assertRoot('graph');
  const kernel = await openKernel('graph');
  try {
    return liveGraph(what, kernel);
  } finally {
    kernel.close();
  }
}

function writeDocument(path: string, document: string): void {
  try {
    writeFileSync(path, document);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NslabError('OUTPUT_WRITE', `${path} cannot be written: ${reason}`, { cause: error });
  }
}

/** All its texts as a terminal may have them. */
function harmless<T>(value: T, key = ''): T {
  if (typeof value === 'string') return (key === 'description' ? visibleLines(value) : visible(value)) as T;
  if (Array.isArray(value)) return value.map((one) => harmless(one, key)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, harmless(one, name)])) as T;
}

function painted(): NonNullable<Parameters<typeof renderGraph>[2]> {
  const chalk = new Chalk({ level: 1 });
  const paints = {
    name: chalk.bold,
    faint: chalk.dim,
    good: chalk.green,
    bad: chalk.red,
    warning: chalk.yellow,
  };
  return (part, text) => paints[part](text);
}
