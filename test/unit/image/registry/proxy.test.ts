// Registries behind a proxy. The names used here have no address, so nothing gets there but by the proxy.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { proxiesOf } from '../../../../src/image/registry/proxy.ts';
import { makeAuthority, makeCertificate } from '../../../support/certificates.ts';
import { makeStore, type TestStore } from '../../../support/image-store.ts';
import { TestProxy } from '../../../support/proxy-server.ts';
import { fails, optionsFor, pullFrom, pushTo } from '../../../support/registry-client.ts';
import { makeImage, sha256, TestRegistry } from '../../../support/registry-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-proxy-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const authority = makeAuthority(folder);
const names = ['DNS:registry.invalid', 'DNS:storage.invalid', 'DNS:tokens.invalid'];
const server = makeCertificate(folder, authority, { name: 'server', names });
const ofProxy = makeCertificate(folder, authority, { name: 'proxy' });

type Way = { readonly proxy: string; readonly variables?: Readonly<Record<string, string>> };

function through(store: TestStore, { proxy, variables = {} }: Way) {
  const { environment } = optionsFor(store);
  return {
    caFile: authority.certFile,
    environment: { ...environment, HTTPS_PROXY: proxy, HTTP_PROXY: proxy, ...variables },
  };
}

async function secureRegistry(image = makeImage()): Promise<TestRegistry> {
  const registry = await TestRegistry.start(server);
  registry.add('x', 'latest', image);
  return registry;
}

/** What the proxy of these variables is for an address, as `host:port`; undefined where there is none. */
function chosen(environment: Readonly<Record<string, string>>, address: string): string | undefined {
  const proxy = proxiesOf(environment)(new URL(address));
  return proxy === undefined ? undefined : `${proxy.protocol}//${proxy.hostname}:${proxy.port}`;
}

test('the variable is that of the scheme, in capital letters first, with or without a scheme of its own', () => {
  const both = { HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:1', http_proxy: 'c' };
  assert.equal(chosen(both, 'https://r/'), 'http://a:1');
  assert.equal(chosen(both, 'http://r/'), 'http://c:80');
  assert.equal(chosen({ https_proxy: ' https://b ', HTTPS_PROXY: '' }, 'https://r/'), 'https://b:443');
  assert.equal(chosen({ HTTPS_PROXY: '[fd00::1]:3128' }, 'https://r/'), 'http://[fd00::1]:3128');
  assert.equal(chosen({ HTTP_PROXY: 'c' }, 'https://r/'), undefined);
  assert.equal(chosen({}, 'https://r/'), undefined);
});

test('this machine is never asked for through a proxy', () => {
  for (const host of ['localhost', 'x.localhost', '127.0.0.1', '127.9.9.9:5000', '[::1]:5000'])
    assert.equal(chosen({ HTTPS_PROXY: 'p' }, `https://${host}/`), undefined, host);
});

test('NO_PROXY: names, what is below them, addresses, networks, ports, everything', () => {
  const table: readonly (readonly [list: string, direct: readonly string[], proxied: readonly string[]])[] = [
    ['*', ['a.b', '10.0.0.1'], []],
    [
      'Example.com',
      ['example.com', 'r.EXAMPLE.com:5000', 'example.com.'],
      ['badexample.com', 'com', 'example.org'],
    ],
    ['.example.com', ['r.example.com', 'a.r.example.com'], ['example.com']],
    ['*.example.com', ['r.example.com'], ['example.com']],
    ['example.com:5000', ['example.com:5000', 'r.example.com:5000'], ['example.com', 'example.com:5001']],
    ['example.com:443', ['example.com'], ['example.com:5000']],
    ['10.0.0.1', ['10.0.0.1', '10.0.0.1:5000'], ['10.0.0.10', '10.0.0.1.example.com']],
    ['10.0.0.1:5000', ['10.0.0.1:5000'], ['10.0.0.1']],
    ['10.0.0.0/8', ['10.255.0.1:5000'], ['11.0.0.1', '[fd00::1]']],
    ['fd00::/8', ['[fd12::1]:5000'], ['[fe00::1]', '10.0.0.1']],
    ['fd00::1', ['[fd00::1]', '[fd00:0::1]:5000'], ['[fd00::2]']],
    ['[fd00::1]:5000', ['[fd00::1]:5000'], ['[fd00::1]']],
    ['a.b, ,c.d ', ['a.b', 'c.d'], ['e.f']],
    ['10.0.0.0/99', [], ['10.0.0.1']],
    ['', [], ['a.b']],
  ];
  for (const [list, direct, proxied] of table) {
    for (const name of ['NO_PROXY', 'no_proxy']) {
      const environment = { HTTPS_PROXY: 'p:1', [name]: list };
      for (const host of direct)
        assert.equal(chosen(environment, `https://${host}/`), undefined, `${list} ${host}`);
      for (const host of proxied)
        assert.equal(chosen(environment, `https://${host}/`), 'http://p:1', `${list} ${host}`);
    }
  }
});

test('a variable that is no proxy is told when it is needed, without its password', async () => {
  using store = makeStore();
  for (const value of ['http://me:s3cret@:1', 'socks5://me:s3cret@p:1', 'http://me:s3cret@p:99999']) {
    const pulling = pullFrom(store, 'registry.invalid/x', through(store, { proxy: value }));
    assert.match(await fails('REGISTRY_CONFIG', pulling, ['s3cret']), /HTTPS_PROXY/);
  }
});

test('pull and push go through, the name is not looked up here, and the proxy sees nothing but where to', async () => {
  const image = makeImage({ layers: [2000, 3000, 400_000] });
  await using registry = await secureRegistry(image);
  await using proxy = await TestProxy.start({ 'registry.invalid:443': registry.port });
  proxy.authorization = `Basic ${Buffer.from('me:p@ss%').toString('base64')}`;
  using store = makeStore();
  const way = through(store, { proxy: `http://me:p%40ss%25@${proxy.host}` });
  const pulled = await pullFrom(store, 'registry.invalid/x', way);
  assert.equal(pulled.digest, image.digest);
  await pushTo(store, 'registry.invalid/y', { ...way, manifest: pulled.manifest });
  assert.ok(registry.manifests.has('y:latest'));
  assert.deepEqual([...new Set(proxy.asked)], ['CONNECT registry.invalid:443']);
  assert.equal(registry.askedFor('').filter(({ headers }) => 'proxy-authorization' in headers).length, 0);
  // A connection is used again: more requests were answered than tunnels were made.
  assert.ok(proxy.asked.length < registry.asked.length, `${proxy.asked.length} of ${registry.asked.length}`);
});

test('tokens and layers of other hosts come through it as well', async () => {
  const image = makeImage();
  await using registry = await secureRegistry(image);
  await using storage = await TestRegistry.start(server);
  await using tokens = await TestRegistry.start(server);
  for (const bytes of [image.config, ...image.layers]) storage.blobs.set(sha256(bytes), bytes);
  tokens.intercept = (_request, response) => {
    response.end('{"token":"t"}');
    return true;
  };
  registry.intercept = ({ url = '', headers }, response) => {
    if (headers.authorization !== 'Bearer t') {
      const challenge = 'Bearer realm="https://tokens.invalid/",service="r"';
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return true;
    }
    if (!url.includes('blobs')) return undefined;
    response.writeHead(307, { location: `https://storage.invalid:8443${url}` }).end();
    return true;
  };
  await using proxy = await TestProxy.start({
    'registry.invalid:443': registry.port,
    'storage.invalid:8443': storage.port,
    'tokens.invalid:443': tokens.port,
  });
  using store = makeStore();
  await pullFrom(store, 'registry.invalid/x', through(store, { proxy: proxy.host }));
  assert.deepEqual([...new Set(proxy.asked)].sort(), [
    'CONNECT registry.invalid:443',
    'CONNECT storage.invalid:8443',
    'CONNECT tokens.invalid:443',
  ]);
});

test('an insecure registry is found to speak plain HTTP through it, and is asked by its whole address', async () => {
  await using registry = await TestRegistry.start();
  registry.add('x', 'latest', makeImage());
  await using proxy = await TestProxy.start({ 'registry.invalid:5000': registry.port });
  proxy.authorization = `Basic ${Buffer.from('me:').toString('base64')}`;
  using store = makeStore();
  const way = through(store, { proxy: `me@${proxy.host}` });
  await pullFrom(store, 'registry.invalid:5000/x', { ...way, insecure: true });
  assert.ok(
    proxy.asked.includes('GET http://registry.invalid:5000/v2/x/manifests/latest'),
    proxy.asked.join('\n'),
  );
  assert.equal(registry.asked[0]?.headers.host, 'registry.invalid:5000');
});

test('a proxy that is spoken to by TLS shows a certificate that is looked at', async () => {
  await using registry = await secureRegistry();
  await using proxy = await TestProxy.start({ 'registry.invalid:443': registry.port }, ofProxy);
  using store = makeStore();
  const way = through(store, { proxy: `https://${proxy.host}` });
  await pullFrom(store, 'registry.invalid/x', way);
  await using plain = await TestRegistry.start();
  plain.add('x', 'latest', makeImage());
  await using both = await TestProxy.start({ 'plain.invalid:80': plain.port }, ofProxy);
  const plainWay = through(store, { proxy: `https://${both.host}` });
  await pullFrom(store, 'plain.invalid/x', { ...plainWay, insecure: true });
  using other = makeStore();
  const { caFile: _unknown, ...distrustful } = way;
  const message = await fails('REGISTRY_TLS', pullFrom(other, 'registry.invalid/x', distrustful));
  assert.match(message, /the proxy 127\.0\.0\.1:\d+ \(HTTPS_PROXY\): its certificate is not trusted/);
});

test('the certificate of the registry is looked at behind a proxy too', async () => {
  await using registry = await secureRegistry();
  await using proxy = await TestProxy.start({ 'impostor.invalid:443': registry.port });
  using store = makeStore();
  const way = through(store, { proxy: proxy.host });
  const message = await fails('REGISTRY_TLS', pullFrom(store, 'impostor.invalid/x', way));
  assert.match(message, /impostor\.invalid.*another name/);
  assert.equal(registry.asked.length, 0);
});

test('what a proxy refuses is told as its refusal, with the variable, and never with the password', async () => {
  await using registry = await secureRegistry();
  await using proxy = await TestProxy.start({ 'registry.invalid:443': registry.port });
  proxy.authorization = 'Basic other';
  using store = makeStore();
  const pulling = (user = ''): Promise<unknown> =>
    pullFrom(store, 'registry.invalid/x', through(store, { proxy: `http://${user}${proxy.host}` }));
  const refused = await fails('REGISTRY_UNREACHABLE', pulling());
  assert.match(refused, /the proxy 127.*\(HTTPS_PROXY\): it asks for a name and a password \(407\)/);
  assert.ok(refused.includes(`HTTPS_PROXY=http://NAME:PASSWORD@${proxy.host}`), refused);
  assert.match(await fails('REGISTRY_UNREACHABLE', pulling('me:s3cret@'), ['s3cret']), /refuses the name/);
  proxy.authorization = undefined;
  const answers: readonly (readonly [string, RegExp])[] = [
    ['HTTP/1.1 401 Unauthorized\r\n\r\n', /it asks for a name and a password \(401\)/],
    ['HTTP/1.1 403 Forbidden\r\n\r\n', /it does not let us through: 403 Forbidden/],
    ['HTTP/1.1 502 Bad\u001b[31m Gateway\r\n\r\n', /it does not get there: 502 Bad\?\[31m Gateway/],
    ['SSH-2.0-OpenSSH\r\n', /its answer is not HTTP/],
    ['', /the connection broke/],
  ];
  for (const [answer, words] of answers) {
    proxy.intercept = (socket) => {
      socket.end(answer, 'latin1');
      return true;
    };
    const code = answer.startsWith('SSH') ? 'REGISTRY_ANSWER' : 'REGISTRY_UNREACHABLE';
    const message = await fails(code, pulling());
    assert.match(message, words);
    assert.match(message, /HTTPS_PROXY/);
  }
  assert.equal(registry.asked.length, 0);
});

test('what is only now not there is asked for again', async () => {
  await using registry = await secureRegistry();
  await using proxy = await TestProxy.start({ 'registry.invalid:443': registry.port });
  let left = 2;
  proxy.intercept = (socket) => {
    if (left === 0) return false;
    left--;
    socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
    return true;
  };
  using store = makeStore();
  await pullFrom(store, 'registry.invalid/x', through(store, { proxy: proxy.host }));
});

test('a proxy that is not there or says nothing is told as such', async () => {
  await using gone = await TestProxy.start({});
  const { host } = gone;
  await gone[Symbol.asyncDispose]();
  using store = makeStore();
  const message = await fails(
    'REGISTRY_UNREACHABLE',
    pullFrom(store, 'registry.invalid/x', through(store, { proxy: host })),
  );
  assert.match(message, /the proxy .*nobody listens there/);
  await using proxy = await TestProxy.start({});
  proxy.intercept = () => true;
  const silent = pullFrom(store, 'registry.invalid/x', {
    ...through(store, { proxy: proxy.host }),
    stallMs: 100,
    retry: { attempts: 1, firstPauseMs: 1, longestPauseMs: 1, longestWaitMs: 1 },
  });
  assert.match(await fails('REGISTRY_TIMEOUT', silent), /not a byte for 0\.1 s/);
});

test('whoever is interrupted while the proxy thinks does not wait for it', async () => {
  await using proxy = await TestProxy.start({});
  const interrupt = new AbortController();
  proxy.intercept = () => {
    interrupt.abort();
    return true;
  };
  using store = makeStore();
  const started = performance.now();
  const pulling = pullFrom(store, 'registry.invalid/x', {
    ...through(store, { proxy: proxy.host }),
    signal: interrupt.signal,
    stallMs: 600_000,
  });
  await fails('INTERRUPTED', pulling);
  assert.ok(performance.now() - started < 300_000);
});
