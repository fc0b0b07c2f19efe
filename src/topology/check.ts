// The pure way from a parsed file to a lab: variables, containerlab's spellings, shape, lowering, rules. Every stage runs even
// after an earlier one found mistakes, so that all are seen at once; what would only be the consequence of an earlier mistake
// is left out.

import type { ErrorCode } from '../base/error-catalogue.ts';
import type { LabName } from '../base/names.ts';
import type { Lab } from '../model/lab.ts';
import type { MachineFacts } from '../model/network.ts';
import { fromContainerlab } from './containerlab.ts';
import { lowerLab } from './lower.ts';
import { isError, type Path, type PathProblem } from './problems.ts';
import { checkRules } from './rules/check.ts';
import { checkShape, type SchemaIssue, type TopologyFile } from './schema.ts';
import { schemaProblems } from './schema-issues.ts';
import { substituteVars } from './vars.ts';

/** What a file that comes in copies may use to be another one each time. */
const COPY_VARIABLE = 'COPY';

export type CheckOptions = {
  readonly prefix?: string | undefined;
  /** The number of the copy, which the file may use as a variable. */
  readonly copy?: number | undefined;
  readonly defaultName?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly vars?: Readonly<Record<string, string>> | undefined;
  readonly machine?: ((lab: LabName) => MachineFacts) | undefined;
};

export type Checked = {
  /** There when no problem is an error. */
  readonly lab?: Lab;
  readonly problems: readonly PathProblem[];
  /** Names given with --var that the file does not have. */
  readonly unusedVars: readonly string[];
  /** Where a path of the lab is in the file: containerlab's wrapper is unknown to the lab. */
  readonly origin: (path: Path) => Path;
};

/** Checks the values of a parsed file. */
export function checkTree(tree: unknown, options: CheckOptions): Checked {
  const { env, copy } = options;
  const sources =
    copy === undefined ? options : { ...options, env: { ...env, [COPY_VARIABLE]: String(copy) } };
  const substituted = substituteVars(tree, sources);
  const native = fromContainerlab(substituted.value, options.defaultName);
  const problems = [...native.problems];
  const shape = checkShape(native.value);
  problems.push(...schemaProblems(shape.issues));
  const file = shape.file ?? withoutMistakes(shape.output, shape.issues);
  const lab = file === undefined ? undefined : lowerAndRule(file, options, problems);
  const located = problems.map((problem) => moved(problem, native.origin));
  const all = [...substituted.problems, ...located];
  const rest = { problems: all, unusedVars: substituted.unused, origin: native.origin };
  return lab === undefined || all.some(isError) ? rest : { lab, ...rest };
}

/** The problem at the places that the file has. */
function moved(problem: PathProblem, origin: (path: Path) => Path): PathProblem {
  const { related } = problem;
  const path = origin(problem.path);
  return related === undefined
    ? { ...problem, path }
    : { ...problem, path, related: { ...related, path: origin(related.path) } };
}

function lowerAndRule(file: TopologyFile, options: CheckOptions, problems: PathProblem[]): Lab | undefined {
  const lowered = lowerLab(file, options);
  problems.push(...new Damage(problems, file).filter(lowered.problems));
  const damage = new Damage(problems, file);
  problems.push(...damage.filter(checkRules(lowered.draft)));
  return lowered.lab;
}

/** Mistakes of a single value: true whatever else is wrong with the file. */
const ownMistakes: ReadonlySet<ErrorCode> = new Set([
  'ADDRESS_INVALID',
  'SUBNET_INVALID',
  'MAC_INVALID',
  'UNIT_MISSING',
  'UNIT_INVALID',
  'VALUE_INVALID',
  'VALUE_RANGE',
  'NAME_INVALID',
  'NAME_RESERVED',
  'IFNAME_INVALID',
  'IFNAME_LONG',
  'ROUTE_INVALID',
  'RULE_INVALID',
  'NAT_INVALID',
  'FIREWALL_INVALID',
  'SYSCTL_INVALID',
  'HOSTS_INVALID',
  'TEST_INVALID',
  'MTU_INVALID',
  'VLAN_INVALID',
  'VNI_INVALID',
  'POOL_INVALID',
  'UNKNOWN_KEY',
  'KEY_UNSUPPORTED',
  'KIND_UNSUPPORTED',
]);

/**
 * What earlier mistakes have made unreliable. A node with a mistake lacks something, so what is found missing there later is
 * no news; with a mistake in the links, that holds for every node.
 */
class Damage {
  private readonly nodes = new Set<string>();
  private everything = false;
  private any = false;
  private readonly file: TopologyFile;

  constructor(problems: readonly PathProblem[], file: TopologyFile) {
    this.file = file;
    for (const { path, severity } of problems) {
      if (severity === 'warning') continue;
      this.any = true;
      const [first, second] = path;
      if (first === 'nodes' && typeof second === 'string') this.nodes.add(second);
      else if (first === 'nodes' || first === 'links' || first === 'addressing') this.everything = true;
    }
  }

  filter(later: readonly PathProblem[]): readonly PathProblem[] {
    if (!this.any) return later;
    return later.filter(
      (problem) => isError(problem) && (ownMistakes.has(problem.code) || !this.touches(problem)),
    );
  }

  private touches(problem: PathProblem): boolean {
    if (this.everything) return true;
    return (
      this.isDamaged(problem.path) || (problem.related !== undefined && this.isDamaged(problem.related.path))
    );
  }

  private isDamaged([first, second]: Path): boolean {
    if (first === 'nodes') return this.nodes.has(String(second));
    if (first !== 'links' || typeof second !== 'number') return false;
    const ends = this.file.links?.[second]?.endpoints ?? [];
    return ends.some((end) => this.nodes.has(typeof end === 'string' ? (end.split(':')[0] ?? '') : end.node));
  }
}

/** How often a file is cut down to what the schema accepts; a mistake may come to light only then. */
const ROUNDS = 8;

/** The file without the values that the schema refused, or undefined when too much of it is wrong. */
function withoutMistakes(output: unknown, issues: readonly SchemaIssue[]): TopologyFile | undefined {
  let rest = structuredClone(output);
  let open = issues;
  for (let round = 0; round < ROUNDS; round++) {
    for (const issue of open) {
      const path = (issue.path ?? []).map((step) => step.key as string | number);
      if (path.length === 0) return undefined;
      const missing = issue.path?.at(-1)?.origin === 'key' && issue.expected !== 'never';
      cut(rest, missing ? path.slice(0, -1) : path);
    }
    const shape = checkShape(rest);
    if (shape.file !== undefined) return shape.file;
    rest = structuredClone(shape.output);
    open = shape.issues;
  }
  return undefined;
}

/** Removes a value. A list loses all of its members, because the others would change their places. */
function cut(tree: unknown, path: Path): void {
  const whole = path.findIndex((step) => typeof step === 'number' && path[0] !== 'links');
  const steps = whole >= 0 ? path.slice(0, whole) : path[0] === 'links' ? ['links'] : path;
  let at = tree as Record<string | number, unknown> | undefined;
  for (const step of steps.slice(0, -1)) {
    if (typeof at !== 'object' || at === null) return;
    at = at[step] as Record<string | number, unknown> | undefined;
  }
  const last = steps.at(-1);
  if (typeof at === 'object' && at !== null && last !== undefined) delete at[last];
}
