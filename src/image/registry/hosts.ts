// Which hosts a reference leads to, and how far each is trusted: mirrors and registries.yaml, and the one rule about plain HTTP.

import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import * as v from 'valibot';
import { NslabError } from '../../base/error.ts';
import type { Reference } from '../reference.ts';

/** One host that may have the image. */
export type Endpoint = {
  /** As a reference has it, with its port; what credentials and certificates are looked up by. */
  readonly name: string;
  /** What is connected to. */
  readonly host: string;
  /** The repository there. */
  readonly path: string;
  /** Plain HTTP and any certificate will do. */
  readonly insecure: boolean;
  readonly caFile: string | undefined;
  readonly isMirror: boolean;
};

export const REGISTRIES_FILE = '/etc/nslab/registries.yaml';

const entry = v.strictObject({
  mirrors: v.optional(v.array(v.string())),
  insecure: v.optional(v.boolean()),
  ca: v.optional(v.string()),
});
const fileSchema = v.nullable(v.record(v.string(), entry));

/** What registries.yaml says of each host. */
export type HostSettings = Readonly<Record<string, v.InferOutput<typeof entry>>>;

/**
 * Reads registries.yaml; a file that is not there says nothing.
 * @throws NslabError REGISTRY_CONFIG
 */
export async function readRegistriesFile(path = REGISTRIES_FILE): Promise<HostSettings> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return {};
    throw new NslabError('REGISTRY_CONFIG', `${path} cannot be read: ${code}`, { cause: error });
  }
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new NslabError(
      'REGISTRY_CONFIG',
      `${path} is not YAML: ${(error as Error).message.split('\n')[0]}`,
    );
  }
  const result = v.safeParse(fileSchema, value);
  if (!result.success) {
    const [issue] = result.issues;
    const where = issue.path?.map(({ key }) => String(key)).join('.') ?? '';
    throw new NslabError('REGISTRY_CONFIG', `${path}: ${where === '' ? '' : `${where}: `}${issue.message}`, {
      hint: 'each host has mirrors, insecure and ca, and no other key',
    });
  }
  return result.output ?? {};
}

export type EndpointOptions = {
  readonly settings: HostSettings;
  /** From the command line: before those of the file. */
  readonly mirrors?: readonly string[];
  readonly insecure?: boolean;
  readonly caFile?: string | undefined;
};

/**
 * Where an image is looked for, in that order: mirrors, and at last the registry itself.
 * @throws NslabError REGISTRY_CONFIG for a mirror that is no host
 */
export function endpointsOf(
  reference: Reference,
  options: EndpointOptions,
): readonly [...Endpoint[], Endpoint] {
  const { settings, mirrors = [] } = options;
  const names = [...mirrors, ...(settings[reference.host]?.mirrors ?? [])];
  return [...names.map((name) => mirrorOf(name, reference, options)), upstreamOf(reference, options)];
}

/** The registry itself: what is pushed to, and logged in at. */
export function upstreamOf(
  { host, path }: Pick<Reference, 'host' | 'path'>,
  options: EndpointOptions,
): Endpoint {
  return {
    name: host,
    host: host === 'docker.io' ? 'registry-1.docker.io' : host,
    path,
    ...trustIn(host, options),
    isMirror: false,
  };
}

function trustIn(host: string, { settings, insecure, caFile }: EndpointOptions) {
  const own = settings[host];
  return { insecure: insecure === true || own?.insecure === true, caFile: caFile ?? own?.ca };
}

/** `HOST[:PORT][/FOLDER]`. What is below FOLDER there is called as it is upstream. */
function mirrorOf(text: string, { path }: Reference, options: EndpointOptions): Endpoint {
  const match = /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?((?:\/[a-z0-9._-]+)*)\/?$/.exec(text);
  if (match === null) {
    throw new NslabError('REGISTRY_CONFIG', `${JSON.stringify(text)} is no mirror`, {
      hint: 'a mirror is HOST[:PORT][/FOLDER], without https://',
    });
  }
  const [, name = '', port = '', folder = ''] = match;
  const host = `${name}${port}`;
  return { name: host, host, path: `${folder}/${path}`.slice(1), ...trustIn(host, options), isMirror: true };
}

/** The host of a URL as one connects to it: an IPv6 address has no brackets. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** The port of a URL, which does not show the usual one. */
export function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** Names and addresses that never leave this machine. `hostname` is a URL's: without the port, IPv6 in brackets. */
export function isLoopback(hostname: string): boolean {
  const address = bareHost(hostname).toLowerCase();
  if (isIPv4(address)) return address.startsWith('127.');
  if (isIPv6(address)) return address === '::1';
  return address === 'localhost' || address.endsWith('.localhost');
}

/** The same name or address, whatever the port. */
export function isSameHost(endpoint: Endpoint, hostname: string): boolean {
  return new URL(`https://${endpoint.host}`).hostname === hostname;
}

/** Whether plain HTTP may be spoken to a host on behalf of an endpoint. */
export function mayBePlain(endpoint: Endpoint, hostname: string): boolean {
  return isLoopback(hostname) || (endpoint.insecure && isSameHost(endpoint, hostname));
}
