// Which certificates are believed, and when plain HTTP is spoken.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import {
  endpointsOf,
  isLoopback,
  mayBePlain,
  readRegistriesFile,
  upstreamOf,
} from '../../../../src/image/registry/hosts.ts';
import { tlsSources } from '../../../../src/image/registry/tls.ts';
import { makeAuthority, makeCertificate } from '../../../support/certificates.ts';
import { makeStore } from '../../../support/image-store.ts';
import { fails, pullFrom, referenceTo } from '../../../support/registry-client.ts';
import { makeImage, sha256, TestRegistry } from '../../../support/registry-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const authority = makeAuthority(folder);
const server = makeCertificate(folder, authority, { name: 'server' });

async function secure(tls: Parameters<typeof TestRegistry.start>[0] = server): Promise<TestRegistry> {
  const registry = await TestRegistry.start(tls);
  registry.add('x', 'latest', makeImage());
  return registry;
}

const noSources = { folders: [], bundles: ['/dev/null'], extraFile: undefined };

test('a certificate that nobody known has signed is refused, and nothing is said in plain HTTP instead', async () => {
  await using registry = await secure();
  using store = makeStore();
  const message = await fails('REGISTRY_TLS', pullFrom(store, `${registry.host}/x`));
  assert.ok(message.includes(registry.host) && message.includes('--ca FILE'), message);
  assert.equal(registry.asked.length, 0);
});

test('the certificate of its authority is found in every place it may be', async () => {
  await using registry = await secure();
  const name = `${registry.host}/x`;
  const pullWith = async (more: Parameters<typeof pullFrom>[2]): Promise<void> => {
    using store = makeStore();
    await pullFrom(store, name, more);
  };
  await pullWith({ caFile: authority.certFile });
  await pullWith({ settings: { [registry.host]: { ca: authority.certFile } } });
  await pullWith({ tls: { ...noSources, extraFile: authority.certFile } });
  await pullWith({ tls: { ...noSources, bundles: ['/nonexistent', authority.certFile] } });
  const certs = join(folder, 'certs.d');
  mkdirSync(join(certs, registry.host), { recursive: true });
  copyFileSync(authority.certFile, join(certs, registry.host, 'ca.crt'));
  await pullWith({ tls: { ...noSources, folders: ['/nonexistent', certs] } });
  await using other = await secure();
  using store = makeStore();
  // The folder is for the other port.
  await fails(
    'REGISTRY_TLS',
    pullFrom(store, `${other.host}/x`, { tls: { ...noSources, folders: [certs] } }),
  );
  assert.equal(tlsSources({ NODE_EXTRA_CA_CERTS: '/x' }).extraFile, '/x');
  assert.equal(tlsSources({ NSLAB_EXTRA_CA_CERTS: '/y' }).extraFile, '/y');
});

test('a certificate for another name, or one that has run out, is refused', async () => {
  const wrongs = [
    makeCertificate(folder, authority, { name: 'other', names: ['DNS:registry.example'] }),
    makeCertificate(folder, authority, { name: 'old', days: -1 }),
    makeCertificate(folder, makeAuthority(folder, 'stranger'), { name: 'strange' }),
  ];
  for (const [i, wrong] of wrongs.entries()) {
    await using registry = await secure(wrong);
    using store = makeStore();
    const message = await fails(
      'REGISTRY_TLS',
      pullFrom(store, `${registry.host}/x`, { caFile: authority.certFile }),
    );
    assert.match(message, [/another name/, /run out/, /nobody known/][i] as RegExp);
    await pullFrom(store, `${registry.host}/x`, { insecure: true });
  }
});

test('a certificate of our own is shown where the registry wants one', async () => {
  await using registry = await secure({
    ...server,
    requestCert: true,
    rejectUnauthorized: true,
    ca: authority.cert,
  });
  const certs = join(folder, 'client.d');
  const own = join(certs, registry.host);
  mkdirSync(own, { recursive: true });
  const client = makeCertificate(folder, authority, { name: 'client' });
  copyFileSync(authority.certFile, join(own, 'ca.crt'));
  using store = makeStore();
  const pulling = () => pullFrom(store, `${registry.host}/x`, { tls: { ...noSources, folders: [certs] } });
  await fails('REGISTRY_TLS', pulling());
  copyFileSync(client.certFile, join(own, 'me.cert'));
  assert.match(await fails('REGISTRY_CONFIG', pulling()), /me\.key is not there/);
  copyFileSync(client.keyFile, join(own, 'me.key'));
  await pulling();
});

test('a file that is no certificate is named', async () => {
  await using registry = await secure();
  using store = makeStore();
  const wrong = join(folder, 'wrong');
  writeFileSync(wrong, 'nothing');
  for (const caFile of [wrong, '/nonexistent', folder])
    assert.ok(
      (await fails('REGISTRY_CONFIG', pullFrom(store, `${registry.host}/x`, { caFile }))).includes(caFile),
    );
});

test('a redirect from HTTPS to plain HTTP is not followed', async () => {
  await using storage = await TestRegistry.start();
  await using registry = await secure();
  registry.intercept = ({ url = '' }, response) => {
    if (!url.includes('blobs')) return undefined;
    response.writeHead(307, { location: `http://${storage.host}${url}` }).end();
    return true;
  };
  using store = makeStore();
  await fails('REGISTRY_ANSWER', pullFrom(store, `${registry.host}/x`, { caFile: authority.certFile }));
  assert.equal(storage.asked.length, 0);
});

test('a redirect to another host over HTTPS is judged by the certificates for that host', async () => {
  await using storage = await secure();
  await using registry = await secure();
  const image = makeImage();
  registry.add('x', 'latest', image);
  for (const bytes of [image.config, ...image.layers]) storage.blobs.set(sha256(bytes), bytes);
  registry.intercept = ({ url = '' }, response) => {
    if (!url.includes('blobs')) return undefined;
    response.writeHead(307, { location: `https://localhost:${storage.port}${url}` }).end();
    return true;
  };
  using store = makeStore();
  const certs = join(folder, 'redirect.d');
  mkdirSync(join(certs, registry.host), { recursive: true });
  copyFileSync(authority.certFile, join(certs, registry.host, 'ca.crt'));
  const tls = { ...noSources, folders: [certs] };
  await fails('REGISTRY_TLS', pullFrom(store, `${registry.host}/x`, { tls }));
  // --insecure is said of the registry, not of whomever it names.
  await fails('REGISTRY_TLS', pullFrom(store, `${registry.host}/x`, { insecure: true }));
  mkdirSync(join(certs, `localhost:${storage.port}`));
  copyFileSync(authority.certFile, join(certs, `localhost:${storage.port}`, 'ca.crt'));
  await pullFrom(store, `${registry.host}/x`, { tls });
});

test('plain HTTP is spoken on this machine, and elsewhere only when asked for', async () => {
  await using registry = await TestRegistry.start();
  registry.add('x', 'latest', makeImage());
  using store = makeStore();
  await pullFrom(store, `localhost:${registry.port}/x`);
  registry.asked.length = 0;
  // 0.0.0.0 is this machine for the kernel, and any address for us.
  const message = await fails('REGISTRY_TLS', pullFrom(store, `0.0.0.0:${registry.port}/x`));
  assert.match(message, /--insecure/);
  assert.equal(registry.asked.length, 0);
  await pullFrom(store, `0.0.0.0:${registry.port}/x`, { insecure: true });
  await pullFrom(store, `0.0.0.0:${registry.port}/x`, {
    settings: { [`0.0.0.0:${registry.port}`]: { insecure: true } },
  });
});

test('only addresses that never leave the machine are loopback', () => {
  for (const host of ['localhost', 'LOCALHOST', 'a.localhost', '127.0.0.1', '127.8.9.10', '[::1]', '::1'])
    assert.ok(isLoopback(host), host);
  const others = [
    '0.0.0.0',
    '10.0.0.1',
    '127.0.0.1.example',
    'localhost.example',
    '[::2]',
    '[::ffff:7f00:1]',
    '1270.0.0.1',
    '',
  ];
  for (const host of others) assert.ok(!isLoopback(host), host);
  const insecure = upstreamOf({ host: 'reg.lab:5000', path: 'x' }, { settings: {}, insecure: true });
  assert.deepEqual(
    ['reg.lab', 'auth.lab', 'localhost'].map((host) => mayBePlain(insecure, host)),
    [true, false, true],
  );
});

test('the hosts that a name leads to', () => {
  const settings = {
    'docker.io': { mirrors: ['mirror.lab:5000', 'cache.lab/hub/'] },
    'cache.lab': { insecure: true },
  };
  const found = endpointsOf(referenceTo('nginx'), { settings, mirrors: ['[::1]:5000'] });
  assert.deepEqual(
    found.map(({ host, path, insecure, isMirror }) => [host, path, insecure, isMirror]),
    [
      ['[::1]:5000', 'library/nginx', false, true],
      ['mirror.lab:5000', 'library/nginx', false, true],
      ['cache.lab', 'hub/library/nginx', true, true],
      ['registry-1.docker.io', 'library/nginx', false, false],
    ],
  );
  for (const mirror of ['https://x', 'a b', '', 'x/../y?z'])
    assert.throws(() => endpointsOf(referenceTo('nginx'), { settings: {}, mirrors: [mirror] }), {
      code: 'REGISTRY_CONFIG',
    });
});

test('registries.yaml is read, and what is wrong in it is said', async () => {
  const path = join(folder, 'registries.yaml');
  writeFileSync(
    path,
    'docker.io:\n  mirrors: [mirror.lab]\nreg.lab:5000: { insecure: true, ca: /etc/lab.crt }\n',
  );
  assert.deepEqual(await readRegistriesFile(path), {
    'docker.io': { mirrors: ['mirror.lab'] },
    'reg.lab:5000': { insecure: true, ca: '/etc/lab.crt' },
  });
  assert.deepEqual(await readRegistriesFile('/nonexistent/registries.yaml'), {});
  for (const text of ['docker.io: { mirror: [x] }', 'docker.io: [', 'docker.io: { insecure: maybe }', '5']) {
    writeFileSync(path, text);
    const message = await fails('REGISTRY_CONFIG', readRegistriesFile(path));
    assert.ok(message.includes(path), message);
  }
  writeFileSync(path, '# nothing\n');
  assert.deepEqual(await readRegistriesFile(path), {});
});
