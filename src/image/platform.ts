// Platforms, OS/ARCHITECTURE[/VARIANT] in Go's words (image-spec image-index.md, "Platform Variants"), and the choice among those of
// an index. Pure but for what this machine is.

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

/** Names that people write. */
const aliases: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  i386: '386',
  armhf: 'arm',
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
  const [os = 'linux', machine = '', variant] = parts.length === 1 ? ['linux', ...parts] : parts;
  const architecture = aliases[machine] ?? machine;
  return ok({ os, architecture, ...(variant === undefined ? {} : { variant }) });
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** Whether a program for `has` runs where `wanted` is asked for; of several the lowest number is the best. */
function distance(has: Platform, wanted: Platform): number | undefined {
  if (has.os !== wanted.os || has.architecture !== wanted.architecture) return undefined;
  const level = variantLevel(has);
  const most = variantLevel(wanted);
  // A processor of a later variant runs programs for earlier ones. Without one asked for, the plainest is right.
  return level <= most ? most - level : undefined;
}

const firstVariants: Readonly<Record<string, number>> = { arm64: 8, amd64: 1, arm: 7 };

function variantLevel({ architecture, variant }: Platform): number {
  const [, digits] = /^v?([0-9]+)/.exec(variant ?? '') ?? [];
  return digits === undefined ? (firstVariants[architecture] ?? 0) : Number(digits);
}

export function suits(has: Platform, wanted: Platform): boolean {
  return distance(has, wanted) !== undefined;
}

/**
 * The entry of an index that is for the platform, the machine's own by default. Attestations and the like have the platform
 * unknown/unknown, and are never chosen.
 * @throws NslabError IMAGE_PLATFORM
 */
export function chooseEntry(
  entries: readonly IndexEntry[],
  { what, wanted = hostPlatform() }: { readonly what: string; readonly wanted?: Platform | undefined },
): IndexEntry {
  const fits = entries.flatMap((entry) => {
    // One that is for no platform in particular.
    const far = entry.platform ? distance(entry.platform, wanted) : 1000;
    return far === undefined ? [] : [{ entry, far }];
  });
  const [best] = fits.sort((a, b) => a.far - b.far);
  if (best !== undefined) return best.entry;
  const there = entries.flatMap(({ platform }) => (platform ? [platformText(platform)] : []));
  const known = [...new Set(there)].filter((name) => !name.startsWith('unknown/'));
  throw new NslabError('IMAGE_PLATFORM', `${what} is not there for ${platformText(wanted)}`, {
    hint: known.length === 0 ? undefined : `it is there for ${known.join(', ')}: --platform`,
  });
}
