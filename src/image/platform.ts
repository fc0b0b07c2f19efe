// Platforms, OS/ARCHITECTURE[/VARIANT] in Go's words (image-spec image-index.md, "Platform Variants"), and the choice among those of
// an index as Docker makes it: containerd's platforms package (compare.go, database.go). Pure but for what this machine is.

import { arch } from 'node:os';
import { NslabError } from '../base/error.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { IndexEntry, Platform } from './manifest.ts';

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
  loong64: 'loong64',
};

/** Names that people write, with the variant that they mean. */
const aliases: Readonly<Record<string, readonly [string, string?]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  i386: ['386'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

export function hostPlatform(): Platform {
  const name = arch();
  return { os: 'linux', architecture: architectures[name] ?? name };
}

/** `linux/arm64/v8`, `linux/amd64`, `arm64`. The error is a half sentence that follows the text. */
export function parsePlatform(text: string): Result<Platform> {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    return err('is not OS/ARCHITECTURE[/VARIANT], as linux/arm64/v8');
  const [os = 'linux', machine = '', said] = parts.length === 1 ? ['linux', ...parts] : parts;
  const [architecture, meant] = aliases[machine] ?? [machine];
  const variant = said ?? meant;
  return ok({ os, architecture, ...(variant === undefined ? {} : { variant }) });
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** What an image without a variant is for. */
const usualLevels: Readonly<Record<string, number>> = { arm64: 8, amd64: 1, arm: 7 };

/** `linux/arm64/v8` and `linux/arm64` are the same text. */
function keyOf({ os, architecture, variant }: Platform): string {
  const [name, meant] = aliases[architecture] ?? [architecture];
  return key(os, name, variant || meant);
}

function key(os: string, architecture: string, variant: string | undefined): string {
  const level = variant ?? usualLevels[architecture] ?? '';
  return `${os}/${architecture}/${String(level).replace(/^v(?=[0-9])/, '')}`;
}

/** What runs on a platform, the best first: its own variant, earlier ones, and the 32-bit processors that are in it. */
function runningOn(platform: Platform): readonly string[] {
  const own = keyOf(platform);
  const { os } = platform;
  const [, architecture = '', text = ''] = /^[^/]*\/([^/]*)\/(.*)$/.exec(own) ?? [];
  const level = Number(text);
  const down = (name: string, from: number, to: number): string[] =>
    Array.from({ length: Math.max(0, from - to + 1) }, (_, i) => key(os, name, `${from - i}`));
  switch (architecture) {
    case 'amd64':
      return [own, ...down('amd64', level - 1, 1), key(os, '386', undefined)];
    case 'arm64':
      return level >= 8 ? [own, ...down('arm64', level - 1, 8), ...down('arm', 8, 5)] : [own];
    case 'arm':
      return [own, ...down('arm', level - 1, 5)];
    default:
      return [own];
  }
}

/** Whether a program for `has` runs where `wanted` is asked for. */
export function suits(has: Platform, wanted: Platform): boolean {
  return runningOn(wanted).includes(keyOf(has));
}

/** buildkit puts notes about an image beside it, as images for unknown/unknown. */
function isAttestation({ platform, annotations }: IndexEntry): boolean {
  return platform?.os === 'unknown' || annotations?.['vnd.docker.reference.type'] !== undefined;
}

/**
 * The entry of an index that is for the platform, the machine's own by default: the best one, and of several that are as good the
 * first. One that is for no platform in particular comes last.
 * @throws NslabError IMAGE_PLATFORM
 */
export function chooseEntry(
  entries: readonly IndexEntry[],
  { what, wanted = hostPlatform() }: { readonly what: string; readonly wanted?: Platform | undefined },
): IndexEntry {
  const images = entries.filter((entry) => !isAttestation(entry));
  for (const name of runningOn(wanted)) {
    const found = images.find(({ platform }) => platform && keyOf(platform) === name);
    if (found !== undefined) return found;
  }
  const general = images.find(({ platform }) => !platform);
  if (general !== undefined) return general;
  const known = [...new Set(images.flatMap(({ platform }) => (platform ? [platformText(platform)] : [])))];
  throw new NslabError('IMAGE_PLATFORM', `${what} is not there for ${platformText(wanted)}`, {
    hint: known.length === 0 ? undefined : `it is there for ${known.slice(0, 20).join(', ')}: --platform`,
  });
}
