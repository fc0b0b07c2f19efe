// `${NAME}`, `${NAME:-default}` and `$$` in the values of a file, before the schema looks at it: positions stay those of the
// text. What a variable brings is not looked at again, so it can bring neither further variables nor YAML structure. A `$`
// without a brace is left alone: commands in `exec` and `run` are full of them.

import type { ErrorCode } from '../base/error-catalogue.ts';
import { didYouMean } from '../base/suggest.ts';
import type { PathProblem } from './problems.ts';

export type VarSources = {
  /** `--var NAME=VALUE`: wins over everything. */
  readonly vars?: Readonly<Record<string, string>> | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
};

type Scalar = string | number | boolean | null;

export type Substituted = {
  readonly value: unknown;
  readonly problems: readonly PathProblem[];
  /** Names given with --var that the file does not have. */
  readonly unused: readonly string[];
};

/** The tree with every variable replaced. The top-level `vars:` has the defaults and is left as it is. */
export function substituteVars(tree: unknown, sources: VarSources): Substituted {
  const substitution = new Substitution(tree, sources);
  const value = substitution.run(tree);
  return { value, problems: substitution.problems, unused: substitution.unused() };
}

// One `$` and what belongs to it. The default may have anything but `}`.
const pattern = /\$(?:\$|\{([^}]*)(\})?)/g;
const reference = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:-|-)([\s\S]*))?$/;

class Substitution {
  readonly problems: PathProblem[] = [];
  private readonly defaults: ReadonlyMap<string, Scalar>;
  private readonly sources: VarSources;
  private readonly used = new Set<string>();

  constructor(tree: unknown, sources: VarSources) {
    this.sources = sources;
    const vars = isMapping(tree) ? tree['vars'] : undefined;
    this.defaults = new Map(isMapping(vars) ? Object.entries(vars).filter(isScalarEntry) : []);
  }

  run(tree: unknown): unknown {
    if (!isMapping(tree)) return tree;
    return this.mapping(tree, 'vars');
  }

  /** The way to the value at hand; copied only where there is a problem. */
  private readonly steps: (string | number)[] = [];

  private walk(value: unknown, step: string | number): unknown {
    if (typeof value === 'string' && !value.includes('$')) return value;
    this.steps.push(step);
    const result = this.replace(value);
    this.steps.pop();
    return result;
  }

  private replace(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return this.list(value);
    return isMapping(value) ? this.mapping(value) : value;
  }

  /** The same list where nothing in it changed, so that a file without variables is not copied. */
  private list(list: readonly unknown[]): unknown {
    let changed: unknown[] | undefined;
    for (let index = 0; index < list.length; index++) {
      const value = this.walk(list[index], index);
      if (value === list[index]) continue;
      changed ??= [...list];
      changed[index] = value;
    }
    return changed ?? list;
  }

  private mapping(mapping: Readonly<Record<string, unknown>>, except?: string): unknown {
    let changed: Record<string, unknown> | undefined;
    for (const key of Object.keys(mapping)) {
      const member = mapping[key];
      const value = key === except ? member : this.walk(member, key);
      if (value === member) continue;
      changed ??= { ...mapping };
      changed[key] = value;
    }
    return changed ?? mapping;
  }

  private text(text: string): unknown {
    // A value that is one variable and nothing else takes the type of what the variable brings: `mtu: ${MTU:-1500}`.
    const whole = /^\$\{([^}]*)\}$/.exec(text);
    if (whole !== null) {
      const found = this.lookUp(whole[1] ?? '');
      return typeof found === 'string' ? scalarOf(found) : found;
    }
    return text.replace(pattern, (match, inner: string | undefined, close: string | undefined) => {
      if (match === '$$') return '$';
      if (close !== undefined) return String(this.lookUp(inner ?? '') ?? '');
      const hint = 'close it with "}", or write "$${" for a plain "${"';
      this.fail({ code: 'VAR_SYNTAX', message: `"${match}" has no closing brace`, hint });
      return '';
    });
  }

  private lookUp(inner: string): Scalar {
    const match = reference.exec(inner);
    if (match === null) {
      const message = `"\${${inner}}" is not a variable`;
      this.fail({
        code: 'VAR_SYNTAX',
        message,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
        hint: 'write ${NAME} or ${NAME:-default}, and "$${" for a plain "${"',
      });
      return '';
    }
    const [, name = '', operator, fallback] = match;
    this.used.add(name);
    const found = this.find(name);
    // As in sh(1): `:-` also replaces a value that is empty.
    if (found !== undefined && !(found === '' && operator === ':-')) return found;
    if (fallback !== undefined) return fallback;
    const names = [
      ...Object.keys(this.sources.vars ?? {}),
      ...this.defaults.keys(),
      ...Object.keys(this.sources.env),
    ];
    const hint = didYouMean(name, names) ?? `give --var ${name}=..., or write \${${name}:-default}`;
    this.fail({ code: 'VAR_UNSET', message: `the variable ${name} has no value`, hint });
    return '';
  }

  private find(name: string): Scalar | undefined {
    const { vars, env } = this.sources;
    if (vars !== undefined && Object.hasOwn(vars, name)) return vars[name];
    if (Object.hasOwn(env, name) && env[name] !== undefined) return env[name];
    return this.defaults.get(name);
  }

  /** A misspelt --var would silently leave the default in place. One that `vars:` declares may be unused. */
  unused(): string[] {
    return Object.keys(this.sources.vars ?? {}).filter(
      (name) => !this.used.has(name) && !this.defaults.has(name),
    );
  }

  private fail(problem: { code: ErrorCode; message: string; hint: string }): void {
    this.problems.push({ ...problem, path: [...this.steps] });
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScalarEntry(entry: [string, unknown]): entry is [string, Scalar] {
  return entry[1] === null || typeof entry[1] !== 'object';
}

/** The type that YAML's core schema (1.2.2, 10.3.2) would give the text. Nothing at all stays a text. */
export function scalarOf(text: string): Scalar {
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (/^(~|null|Null|NULL)$/.test(text)) return null;
  if (/^[-+]?[0-9]+$/.test(text) || /^0x[0-9a-fA-F]+$/.test(text) || /^0o[0-7]+$/.test(text))
    return safe(Number(text), text);
  if (/^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(text)) return safe(Number(text), text);
  return text;
}

/** A number that would lose digits is better kept as a text. */
function safe(number: number, text: string): number | string {
  return Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : text;
}
