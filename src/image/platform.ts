// Which image of an index is meant, as Docker chooses: containerd's platforms package (compare.go, database.go). A processor runs the
// programs of some others as well, best ones first. Pure, but for what hostPlatform() asks.

import { arch } from 'node:process';
import { NslabError } from '../base/error.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Index, IndexEntry, Platform } from './manifest.ts';

/** What is compared of one. */
export type PlatformName = Pick<Platform, 'os' | 'architecture' | 'variant'>;

const architectures: Readonly<Record<string, PlatformName>> = {
  x86_64: { os: 'linux', architecture: 'amd64' },
  'x86-64': { os: 'linux', architecture: 'amd64' },
  x64: { os: 'linux', architecture: 'amd64' },
  i386: { os: 'linux', architecture: '386' },
  ia32: { os: 'linux', architecture: '386' },
  aarch64: { os: 'linux', architecture: 'arm64' },
  armhf: { os: 'linux', architecture: 'arm', variant: 'v7' },
  armel: { os: 'linux', architecture: 'arm', variant: 'v6' },
};

/** This machine's. */
export function hostPlatform(): PlatformName {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' };
  return normalized({ os: 'linux', architecture: names[arch] ?? arch });
}

/** `linux/arm64`, `linux/arm/v7`, `arm64`. The error is a half sentence that follows the text. */
export function parsePlatform(text: string): Result<PlatformName> {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]+$/.test(part)))
    return err('is not OS/ARCHITECTURE[/VARIANT], as linux/arm64');
  if (parts.length === 1) return ok(normalized({ os: 'linux', architecture: text.toLowerCase() }));
  const [os = '', architecture = '', variant] = parts;
  return ok(normalized({ os, architecture, ...(variant === undefined ? {} : { variant }) }));
}

/** `linux/arm/v7`. */
export function platformText({ os, architecture, variant }: PlatformName): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== '').join('/');
}

/** One spelling for what has several. */
function normalized({ os, architecture, variant }: PlatformName): PlatformName {
  const known = architectures[architecture];
  const name = known?.architecture ?? architecture;
  const given = variant ?? known?.variant ?? '';
  const level = /^[0-9]+$/.test(given) ? `v${given}` : given;
  const usual: Readonly<Record<string, string>> = { arm64: 'v8', amd64: 'v1' };
  if (level === usual[name]) return { os, architecture: name };
  if (name === 'arm' && level === '') return { os, architecture: name, variant: 'v7' };
  return { os, architecture: name, ...(level === '' ? {} : { variant: level }) };
}

/** What runs on that platform, the best first. */
function acceptable(platform: PlatformName): PlatformName[] {
  const { os, architecture, variant } = normalized(platform);
  const level = Number(variant?.slice(1) ?? Number.NaN);
  const down = (name: string, from: number, to: number): PlatformName[] =>
    Array.from({ length: Math.max(0, from - to + 1) }, (_, i) =>
      normalized({ os, architecture: name, variant: `v${from - i}` }),
    );
  const self: PlatformName = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  switch (architecture) {
    case 'amd64':
      return [...(level > 1 ? down('amd64', level, 1) : [self]), { os, architecture: '386' }];
    case 'arm64':
      // v9 runs v8; 64-bit ones run 32-bit programs.
      return [...(level > 8 ? down('arm64', level, 8) : [self]), ...down('arm', 8, 5)];
    case 'arm':
      return level > 5 ? down('arm', level, 5) : [self];
    default:
      return [self];
  }
}

function same(a: PlatformName, b: PlatformName): boolean {
  return a.os === b.os && a.architecture === b.architecture && a.variant === b.variant;
}

/** Whether programs of one platform run on the other. */
export function runsOn(image: PlatformName, platform: PlatformName): boolean {
  return acceptable(platform).some((one) => same(one, normalized(image)));
}

/**
 * The entry for a platform: the best one, and of several that are as good the first.
 * @throws NslabError IMAGE_PLATFORM
 */
export function chooseEntry(index: Index, platform: PlatformName, name: string): IndexEntry {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  for (const wanted of acceptable(platform)) {
    const found = images.find(
      (entry) =>
        entry.platform !== undefined && entry.platform !== null && same(normalized(entry.platform), wanted),
    );
    if (found !== undefined) return found;
  }
  // An index of one image need not say what it is for.
  const [only, ...others] = images;
  if (only !== undefined && others.length === 0 && (only.platform ?? undefined) === undefined) return only;
  const there = [
    ...new Set(images.map((entry) => (entry.platform ? platformText(entry.platform) : 'unnamed'))),
  ];
  throw new NslabError('IMAGE_PLATFORM', `${name} has no image for ${platformText(platform)}`, {
    hint: there.length === 0 ? 'it has none at all' : `it has ${there.slice(0, 20).join(', ')}`,
  });
}

/** buildkit puts notes about an image beside it, as images for `unknown/unknown`. */
function isAttestation({ platform, annotations }: IndexEntry): boolean {
  return platform?.os === 'unknown' || annotations?.['vnd.docker.reference.type'] !== undefined;
}
