// A container in words, for `plan` and `explain`: what it runs, on which files, and what of its settings is not the default.

import { bracketed, portRangeText } from '../model/network.ts';
import type { Op } from './op.ts';
import { commandLine } from './shell.ts';

/** Keys that are said elsewhere: the first line has the command, the order of the ops has `depends_on`. */
const SAID = new Set(['command', 'entrypoint', 'depends_on', 'ports']);

type Started = Pick<Extract<Op, { readonly kind: 'startContainer' }>, 'container' | 'ports'>;

/** The command and its files, then one line for each setting. */
export function containerLines({ container, ports = [] }: Started): string[] {
  const { image, rootfs, options } = container;
  const files =
    rootfs === undefined ? `image ${image}` : rootfs === 'host' ? 'a copy of the files of the host' : rootfs;
  const command = [options['entrypoint'], options['command']].flatMap(words).join(' ');
  const settings = Object.entries(options).filter(([key]) => !SAID.has(key));
  return [
    `${command === '' ? 'its own command' : command} on ${files}`,
    ...settings.map(([key, value]) => `${key}: ${textOf(value)}`),
    ...ports.map(portLine),
  ];
}

/** What the monitor listens at. */
function portLine({ proto, address, port, to }: NonNullable<Started['ports']>[number]): string {
  const outside = `${bracketed(address)}:${portRangeText(port)}/${proto}`;
  return `listen at ${outside} for ${bracketed(to.address)}:${portRangeText(to.port)}`;
}

/** A text is for a shell already; a list is words. */
function words(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? [commandLine(value.map(String))] : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
