// A container in words, for `plan` and `explain`: what it runs, on which files, and what of its settings is not the default.

import type { ContainerSpec } from '../model/container.ts';
import { commandLine } from './shell.ts';

/** Keys that are said elsewhere: the first line has the command, the order of the ops has `depends_on`. */
const SAID = new Set(['command', 'entrypoint', 'depends_on']);

/** The command and its files, then one line for each setting. */
export function containerLines({ image, rootfs, options }: ContainerSpec): string[] {
  const files =
    rootfs === undefined ? `image ${image}` : rootfs === 'host' ? 'a copy of the files of the host' : rootfs;
  const command = [options['entrypoint'], options['command']].flatMap(words).join(' ');
  const settings = Object.entries(options).filter(([key]) => !SAID.has(key));
  return [
    `${command === '' ? 'its own command' : command} on ${files}`,
    ...settings.map(([key, value]) => `${key}: ${textOf(value)}`),
  ];
}

/** A text is for a shell already; a list is words. */
function words(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? [commandLine(value.map(String))] : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
