// Files of environment variables as Docker Compose reads them: NAME=VALUE lines, comments, quotes. Nothing is interpolated.

import { err, ok, type Result } from '../base/result.ts';

/** The variables in the order of the file. The error is a half sentence that follows the file's name. */
export function parseEnvFile(text: string): Result<[string, string | undefined][]> {
  const found: [string, string | undefined][] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    const entry = parseLine(line);
    if (typeof entry === 'string') return err(`${entry} in line ${index + 1}`);
    if (entry !== undefined) found.push(entry);
  }
  return ok(found);
}

function parseLine(text: string): [string, string | undefined] | undefined | string {
  const line = text.trim().replace(/^export\s+/, '');
  if (line === '' || line.startsWith('#')) return undefined;
  const equals = line.indexOf('=');
  const name = (equals < 0 ? line : line.slice(0, equals)).trim();
  if (!/^[^\s"'#=]+$/.test(name) || name.includes('\0')) return 'has a bad name';
  // A name alone is the variable of the environment.
  if (equals < 0) return [name, undefined];
  const value = parseValue(line.slice(equals + 1).trim());
  if (value === undefined) return 'has a quote that never ends';
  return value.includes('\0') ? 'has a NUL' : [name, value];
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };

/** Undefined when a quote is not closed. */
function parseValue(text: string): string | undefined {
  if (text.startsWith("'")) return /^'([^']*)'\s*(?:#.*)?$/.exec(text)?.[1];
  if (text.startsWith('"')) {
    const inside = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(text)?.[1];
    return inside?.replaceAll(/\\(.)/g, (whole, char: string) => escapes[char] ?? whole);
  }
  return text.replace(/(^|\s)#.*$/, '').trimEnd();
}
