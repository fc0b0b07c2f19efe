// The map of the rooms of src/: which room may import which, which packages and Node modules are whose. It reads sources as text
// and runs none of them. ARCHITECTURE.md shows the same table; architecture.test.ts compares the two.

/** A room, `room/file` or `room/{file,file}`; `types of room` allows `import type` alone. */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: ['base'],
  topology: ['base', 'model'],
  plan: ['base', 'model', 'nfnl/{ruleset,nat,firewall,text,check}'],
  graph: ['base', 'model'],
  diff: ['base', 'model', 'plan', 'nfnl/{read,ruleset,text}', 'live/automatic', 'types of live'],
  sys: ['base'],
  rtnl: ['base', 'sys'],
  nfnl: ['base', 'sys', 'rtnl'],
  netns: ['base', 'sys'],
  live: ['base', 'model', 'sys', 'rtnl', 'nfnl', 'netns'],
  snapshot: ['base', 'model', 'topology', 'plan/{filter,mark,op}', 'nfnl/{read,decompile,ruleset}', 'live'],
  container: ['base', 'model', 'sys'],
  image: ['base', 'sys'],
  kernel: ['base', 'model', 'container', 'plan/op', 'sys', 'rtnl', 'nfnl', 'netns', 'state/paths'],
  probe: ['base', 'sys'],
  diagnose: ['base', 'sys', 'rtnl', 'nfnl', 'netns'],
  state: ['base', 'model', 'plan/undo', 'sys'],
  apply: ['base', 'plan', 'kernel/port', 'state/record'],
  lab: [
    'base',
    'model',
    'topology',
    'plan',
    'graph',
    'sys',
    'netns',
    'live',
    'diff',
    'snapshot',
    'image',
    'kernel',
    'probe',
    'diagnose',
    'state',
    'apply',
  ],
  cli: ['base', 'lab', 'plan/describe', 'apply/fault', 'types of apply', 'types of model', 'types of plan'],
};

/** Rooms that do the same for the same input, whatever the machine. */
const pureRooms = ['base', 'model', 'topology', 'plan', 'graph', 'diff', 'snapshot'];
/** Node's modules that do no I/O: hashes and text. */
const pureModules = ['node:crypto', 'node:util'];
/** The one file of a pure room that reads files. */
const pureExcept = ['topology/load.ts'];

const packages: Readonly<Record<string, (file: string) => boolean>> = {
  netlink: (file) => roomOf(file) === 'rtnl' || roomOf(file) === 'nfnl',
  koffi: (file) => file === 'sys/libc.ts' || file === 'rtnl/tun.ts',
  yaml: (file) => roomOf(file) === 'topology' || file === 'image/registry/hosts.ts',
  valibot: (file) =>
    roomOf(file) === 'topology' || file === 'image/manifest.ts' || file === 'image/registry/hosts.ts',
  fzstd: (file) => file === 'image/decompress.ts',
  'ip-address': (file) => roomOf(file) === 'base',
  '@dagrejs/dagre': (file) => file === 'graph/layered.ts',
  yargs: (file) => roomOf(file) === 'cli',
  chalk: (file) => roomOf(file) === 'cli',
  'cli-table3': (file) => roomOf(file) === 'cli',
};

export type Import = { readonly specifier: string; readonly typeOnly: boolean };

/** Sources by their path below src/, `plan/order.ts`. Returns a line for each thing that is not allowed. */
export function violations(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [file, source] of sources) {
    const code = withoutComments(source);
    for (const entry of importsOf(code)) {
      const wrong = wrongImport(file, entry);
      if (wrong !== undefined) found.push(`${file}: ${wrong}`);
    }
    if (/\bimport\s*\(\s*[^'\s]/.test(code))
      found.push(`${file}: imports what cannot be read from the source`);
    found.push(...wrongGlobals(file, code));
  }
  return [...found, ...impureFromPlan(sources)];
}

/** Every import, re-export and dynamic import of a source. */
export function importsOf(code: string): Import[] {
  const found: Import[] = [];
  for (const match of code.matchAll(/\b(?:import|export)\s+(type\s+)?([^'";]*?)\s*\bfrom\s*'([^']+)'/g)) {
    const names = /\{([^}]*)\}/.exec(match[2] ?? '')?.[1] ?? '';
    const each = names.split(',').map((name) => name.trim());
    const allTypes = names.trim() !== '' && each.every((name) => name === '' || name.startsWith('type '));
    found.push({ specifier: match[3] ?? '', typeOnly: match[1] !== undefined || allTypes });
  }
  for (const match of code.matchAll(/\bimport\s*\(\s*'([^']+)'/g)) {
    found.push({ specifier: match[1] ?? '', typeOnly: false });
  }
  for (const match of code.matchAll(/^\s*import\s*'([^']+)'/gm)) {
    found.push({ specifier: match[1] ?? '', typeOnly: false });
  }
  return found;
}

/** Rows `| room | may import |` of ARCHITECTURE.md. */
export function arrowsOfDocument(markdown: string): Record<string, readonly string[]> {
  const lines = markdown.split('\n');
  const head = lines.findIndex((line) => /^\|\s*room\s*\|\s*may import\s*\|/i.test(line));
  const rows: Record<string, readonly string[]> = {};
  if (head < 0) return rows;
  for (const line of lines.slice(head + 2)) {
    const [, room, cell] = /^\|([^|]*)\|([^|]*)\|/.exec(line.replaceAll('`', '')) ?? [];
    if (room === undefined || cell === undefined) break;
    const entries = cell.split(/,(?![^{]*\})/).map((entry) => entry.trim());
    rows[room.trim()] = entries.filter((entry) => entry !== '' && entry !== 'nothing');
  }
  return rows;
}

/** The table as ARCHITECTURE.md should have it. */
export function arrowsAsMarkdown(): string {
  const rows = Object.entries(arrows).map(([room, may]) => `| ${room} | ${may.join(', ') || 'nothing'} |`);
  return ['| room | may import |', '|---|---|', ...rows].join('\n');
}

function roomOf(file: string): string {
  return file.slice(0, Math.max(0, file.indexOf('/')));
}

/** The path below src/ that a relative import means, or undefined when it leads out of src/. */
function resolve(file: string, specifier: string): string | undefined {
  const parts = file.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function wrongImport(file: string, { specifier, typeOnly }: Import): string | undefined {
  if (specifier.startsWith('node:')) return wrongNodeModule(file, specifier);
  if (!specifier.startsWith('.')) return wrongPackage(file, specifier);
  const target = resolve(file, specifier);
  if (target === undefined) {
    // Data from beside src/, as package.json.
    return specifier.endsWith('.json') ? undefined : `imports ${specifier}, which is not in src/`;
  }
  const room = roomOf(file);
  if (roomOf(target) === room) return undefined;
  const may = arrows[room];
  if (may === undefined) return `is in the room "${room}", which has no arrows`;
  return may.some((entry) => allows(entry, target, typeOnly)) ? undefined : `may not import ${target}`;
}

function allows(entry: string, target: string, typeOnly: boolean): boolean {
  if (entry.startsWith('types of ')) return typeOnly && allows(entry.slice(9), target, typeOnly);
  const [room = '', rest] = entry.split(/\/(.*)/);
  if (rest === undefined) return roomOf(target) === room;
  const files = rest.replace(/^\{(.*)\}$/, '$1').split(',');
  return files.some((name) => target === `${room}/${name}.ts`);
}

function wrongPackage(file: string, specifier: string): string | undefined {
  const name = specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : specifier.split('/')[0];
  const rule = packages[name ?? ''];
  if (rule === undefined) return `imports the package ${specifier}, which no room is given`;
  return rule(file) ? undefined : `may not import the package ${name}`;
}

function isPure(file: string): boolean {
  return pureRooms.includes(roomOf(file)) && !pureExcept.includes(file);
}

function wrongNodeModule(file: string, specifier: string): string | undefined {
  if (!isPure(file) || pureModules.includes(specifier)) return undefined;
  return `may not import ${specifier}: the room is pure`;
}

function wrongGlobals(file: string, code: string): string[] {
  const wrong: string[] = [];
  const impure =
    /\b(process\.|Date\.now|new Date\b|Math\.random|random(?:Bytes|Int|UUID)|performance\.|crypto\.|setTimeout|setImmediate)/;
  const global = isPure(file) ? impure.exec(code)?.[1] : undefined;
  if (global !== undefined) wrong.push(`${file}: uses ${global}: the room is pure`);
  if (roomOf(file) !== 'cli') {
    const edge = /\b(process\.exit(?:Code)?|console\.)/.exec(code)?.[1];
    if (edge !== undefined) wrong.push(`${file}: uses ${edge}, which only cli/ may`);
  }
  return wrong;
}

/** What plan/ borrows from nfnl/ must be pure down to the last import. */
function impureFromPlan(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const visit = (file: string, from: string): void => {
    const source = sources.get(file);
    if (source === undefined || seen.has(file)) return;
    seen.add(file);
    for (const { specifier, typeOnly } of importsOf(withoutComments(source))) {
      if (typeOnly) continue;
      if (specifier.startsWith('.')) visit(resolve(file, specifier) ?? '', `${from} > ${file}`);
      else if (reachesMachine(specifier)) {
        found.push(`${file}: reached from plan (${from}), imports ${specifier}`);
      }
    }
  };
  for (const file of sources.keys()) if (roomOf(file) === 'plan') visit(file, 'plan');
  return found;
}

function reachesMachine(specifier: string): boolean {
  if (specifier.startsWith('node:')) return !pureModules.includes(specifier);
  return specifier === 'koffi' || specifier.startsWith('netlink');
}

/** Comments become blanks; what looks like one inside a string stays, which at worst hides nothing. */
function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, ' ').replaceAll(/(^|\s)\/\/[^\n]*/g, '$1');
}
