// `--change` of import and commit: an instruction of a Dockerfile that changes an image's config and none of its files. Pure.
// image-spec config.md has the keys, docs.docker.com/reference/dockerfile the instructions.

import { err, ok, type Result } from '../base/result.ts';
import { shellWords } from '../base/shell-words.ts';
import { parseDuration } from '../base/units.ts';
import type { Settings } from './manifest.ts';

type Change = (settings: Settings) => Settings;
type Read = Result<Change>;

/** The error is a half sentence that follows the text. */
export function parseChange(text: string): Read {
  const [, word = '', rest = ''] = /^\s*([A-Za-z]+)(?:\s+|=)?([\s\S]*)$/.exec(text) ?? [];
  const instruction = instructions[word.toUpperCase()];
  if (instruction === undefined) return err(`is none of ${Object.keys(instructions).join(', ')}`);
  return instruction(rest.trim());
}

const instructions: Readonly<Record<string, (rest: string) => Read>> = {
  CMD: (rest) => withWords(rest, (Cmd) => (settings) => ({ ...settings, Cmd })),
  // What the old entry point was given means nothing to the new one.
  ENTRYPOINT: (rest) =>
    withWords(rest, (Entrypoint) => ({ Cmd: _, ...settings }) => ({ ...settings, Entrypoint })),
  ENV: (rest) =>
    withPairs(rest, (pairs) => (settings) => ({ ...settings, Env: mergeEnv(settings.Env ?? [], pairs) })),
  LABEL: (rest) =>
    withPairs(rest, (pairs) => (settings) => ({
      ...settings,
      Labels: { ...settings.Labels, ...Object.fromEntries(pairs) },
    })),
  EXPOSE: (rest) =>
    withList(rest, (ports) => (settings) => ({
      ...settings,
      ExposedPorts: { ...settings.ExposedPorts, ...asSet(ports.map(withProtocol)) },
    })),
  VOLUME: (rest) =>
    withList(rest, (paths) => (settings) => ({
      ...settings,
      Volumes: { ...settings.Volumes, ...asSet(paths) },
    })),
  USER: (rest) => withText(rest, (User) => (settings) => ({ ...settings, User })),
  WORKDIR: (rest) =>
    withText(rest, (path) => (settings) => ({
      ...settings,
      WorkingDir: path.startsWith('/') ? path : `${settings.WorkingDir ?? ''}/${path}`.replace(/^\/?/, '/'),
    })),
  STOPSIGNAL: (rest) => withText(rest, (StopSignal) => (settings) => ({ ...settings, StopSignal })),
  HEALTHCHECK: readHealthcheck,
};

function withText(rest: string, change: (text: string) => Change): Read {
  return rest === '' ? err('has no value') : ok(change(rest));
}

/** A JSON list is words, anything else is for a shell. */
function withWords(rest: string, change: (words: string[]) => Change): Read {
  if (rest === '') return err('has no command');
  if (!rest.startsWith('[')) return ok(change(['/bin/sh', '-c', rest]));
  const list = jsonList(rest);
  return list === undefined ? err('begins with "[" and is no JSON list of texts') : ok(change(list));
}

function withList(rest: string, change: (items: string[]) => Change): Read {
  const items = rest.startsWith('[') ? jsonList(rest) : words(rest);
  return items === undefined || items.length === 0 ? err('has no value') : ok(change(items));
}

function jsonList(text: string): string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}

function words(text: string): string[] | undefined {
  const split = shellWords(text);
  return split.ok ? [...split.value] : undefined;
}

/** `K=V K2="a b"`, or the older `K V`. */
function withPairs(rest: string, change: (pairs: [string, string][]) => Change): Read {
  const old = /^([^\s=]+)\s+([\s\S]+)$/.exec(rest);
  if (old !== null) return ok(change([[old[1] ?? '', old[2] ?? '']]));
  const pairs = words(rest)?.map((word): [string, string] => {
    const equals = word.indexOf('=');
    return [word.slice(0, Math.max(0, equals)), word.slice(equals + 1)];
  });
  if (pairs === undefined || pairs.length === 0 || pairs.some(([key]) => key === ''))
    return err('is not K=V');
  return ok(change(pairs));
}

function mergeEnv(env: readonly string[], pairs: readonly (readonly [string, string])[]): string[] {
  const known = new Map(env.map((line) => [line.split('=', 1)[0] ?? '', line]));
  for (const [key, value] of pairs) known.set(key, `${key}=${value}`);
  return [...known.values()];
}

function withProtocol(port: string): string {
  return port.includes('/') ? port : `${port}/tcp`;
}

function asSet(keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

const healthOptions: Readonly<Record<string, string>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};

/** `[--interval=5s ...] CMD ...`, or `NONE`. */
function readHealthcheck(rest: string): Read {
  if (/^none$/i.test(rest)) return ok((settings) => ({ ...settings, Healthcheck: { Test: ['NONE'] } }));
  const check: Record<string, unknown> = {};
  let left = rest;
  for (
    let match = /^--([a-z-]+)=(\S+)\s+/.exec(left);
    match !== null;
    match = /^--([a-z-]+)=(\S+)\s+/.exec(left)
  ) {
    const [whole, name = '', value = ''] = match;
    const key = healthOptions[name];
    const duration = parseDuration(value);
    if (name === 'retries' && /^[0-9]{1,6}$/.test(value)) check['Retries'] = Number(value);
    // Nanoseconds; parseDuration() has microseconds.
    else if (key !== undefined && duration.ok) check[key] = duration.value * 1000;
    else return err(`has the option --${name}=${value}, which is none`);
    left = left.slice(whole.length);
  }
  const [, command] = /^cmd\s+([\s\S]+)$/i.exec(left) ?? [];
  if (command === undefined) return err('has no CMD');
  const list = command.startsWith('[') ? jsonList(command) : undefined;
  const Test = list === undefined ? ['CMD-SHELL', command] : ['CMD', ...list];
  return ok((settings) => ({ ...settings, Healthcheck: { Test, ...check } }));
}
