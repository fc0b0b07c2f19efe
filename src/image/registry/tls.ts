// Whose certificates are believed, for each host: those of the machine, those of NODE_EXTRA_CA_CERTS, and what Docker (certs.d in
// "Verify repository client with certificates") and podman (containers-certs.d(5)) read for that host.

import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { NslabError } from '../../base/error.ts';

/** What `update-ca-certificates` writes on Debian, and what Fedora and SUSE have in its place. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
];

/** How a host's certificate is judged. */
export type HostTls = { readonly context: SecureContext | undefined; readonly verify: boolean };

/** The same as options of a connection. */
export function tlsOptions({ context, verify }: HostTls) {
  return { rejectUnauthorized: verify, ...(context === undefined ? {} : { secureContext: context }) };
}

export type TlsSources = {
  /** Folders that have one folder a host. */
  readonly folders: readonly string[];
  /** Of the machine; the first that is there. Node's own list is taken where there is none. */
  readonly bundles: readonly string[];
  /**
   * Node reads this file for the connections it makes by default, and ours are none of them. The launcher may have to keep the
   * variable from Node, and then passes it on under a name of ours.
   */
  readonly extraFile: string | undefined;
};

export function tlsSources(environment: Readonly<Record<string, string | undefined>>): TlsSources {
  const home = environment['HOME'] ?? homedir();
  return {
    folders: [
      '/etc/docker/certs.d',
      '/etc/containers/certs.d',
      join(environment['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'containers/certs.d'),
    ],
    bundles: systemBundles,
    extraFile: environment['NODE_EXTRA_CA_CERTS'] ?? environment['NSLAB_EXTRA_CA_CERTS'],
  };
}

/**
 * What a connection to a host (with its port, by all names it has) is judged by.
 * @throws NslabError REGISTRY_CONFIG
 */
export function contextFor(
  hosts: readonly [string, ...string[]],
  caFile: string | undefined,
  sources: TlsSources,
): SecureContext {
  const folders = sources.folders
    .flatMap((folder) => hosts.map((host) => join(folder, host)))
    .map((folder) => [folder, namesIn(folder)] as const);
  const authorities = folders.flatMap(([folder, names]) =>
    names.filter((name) => name.endsWith('.crt')).map((name) => join(folder, name)),
  );
  const [pair] = folders.flatMap(([folder, names]) => clientPairs(folder, names));
  const files = [caFile, sources.extraFile, ...authorities].filter(
    (file) => file !== undefined && file !== '',
  );
  try {
    return createSecureContext({
      ca: [...machineRoots(sources.bundles), ...(files as string[]).map(readCertificates)],
      ...(pair === undefined ? {} : { cert: readFileSync(pair.certificate), key: readFileSync(pair.key) }),
    });
  } catch (error) {
    if (error instanceof NslabError) throw error;
    const where = pair === undefined ? files.join(', ') : `${pair.certificate}, ${pair.key}`;
    throw new NslabError('REGISTRY_CONFIG', `a certificate for ${hosts[0]} cannot be used: ${where}`, {
      cause: error,
    });
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new NslabError('REGISTRY_CONFIG', `${folder} cannot be read: ${code}`, { cause: error });
  }
}

/** `NAME.cert` is a certificate to show, and `NAME.key` belongs to it. */
function clientPairs(folder: string, names: readonly string[]) {
  return names
    .filter((name) => name.endsWith('.cert'))
    .map((name) => {
      const key = name.replace(/\.cert$/, '.key');
      if (!names.includes(key))
        throw new NslabError('REGISTRY_CONFIG', `${join(folder, name)} has no key: ${key} is not there`);
      return { certificate: join(folder, name), key: join(folder, key) };
    });
}

/** A text of certificates; what is none of them would be passed over in silence by OpenSSL. */
function readCertificates(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new NslabError(
      'REGISTRY_CONFIG',
      `${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`,
      {
        cause: error,
      },
    );
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new NslabError('REGISTRY_CONFIG', `${file} has no certificate`, {
      hint: 'it begins with -----BEGIN CERTIFICATE-----',
    });
  return text;
}

function machineRoots(bundles: readonly string[]): readonly string[] {
  for (const file of bundles) {
    try {
      return [readFileSync(file, 'utf8')];
    } catch {
      // The next distribution's.
    }
  }
  return rootCertificates;
}
