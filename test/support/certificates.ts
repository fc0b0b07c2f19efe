// Certificates of an authority of one's own, made by openssl(1).

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Certificate = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
};

function openssl(...words: readonly string[]): void {
  execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function certificate(base: string): Certificate {
  const [certFile, keyFile] = [`${base}.crt`, `${base}.key`];
  return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** An authority that signs itself. */
export function makeAuthority(folder: string, name = 'ca'): Certificate {
  const base = join(folder, name);
  const subject = ['-subj', `/CN=${name} of a test`];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '2',
    ...subject,
    '-keyout',
    `${base}.key`,
    '-out',
    `${base}.crt`,
  );
  return certificate(base);
}

/** One for a server or a client; `names` as `DNS:localhost`, `IP:127.0.0.1`. A negative number of days has run out. */
export function makeCertificate(
  folder: string,
  authority: Certificate,
  options: { readonly name: string; readonly names?: readonly string[]; readonly days?: number },
): Certificate {
  const { name, names = ['IP:127.0.0.1', 'DNS:localhost'], days = 2 } = options;
  const base = join(folder, name);
  writeFileSync(`${base}.ext`, `subjectAltName=${names.join(',')}\n`);
  openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', `${base}.key`, '-out', `${base}.csr`);
  const signed = ['-CA', authority.certFile, '-CAkey', authority.keyFile, '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    `${base}.csr`,
    ...signed,
    '-days',
    `${days}`,
    '-extfile',
    `${base}.ext`,
    '-out',
    `${base}.crt`,
  );
  return certificate(base);
}
