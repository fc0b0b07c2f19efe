// Who we are for a registry: tokens, names and passwords, and whom they are told.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { Authorizer } from '../../../../src/image/registry/authorizer.ts';
import { parseChallenges } from '../../../../src/image/registry/challenge.ts';
import { upstreamOf } from '../../../../src/image/registry/hosts.ts';
import { HttpClient } from '../../../../src/image/registry/http.ts';
import { makeStore, type TestStore } from '../../../support/image-store.ts';
import { fails, pullFrom } from '../../../support/registry-client.ts';
import { makeImage, readBody, sha256, TestRegistry } from '../../../support/registry-server.ts';

const me = { kind: 'password', username: 'me', password: 'hunter22' } as const;
const basic = `Basic ${Buffer.from('me:hunter22').toString('base64')}`;

/** A registry with `x`, behind a token server of its own that counts what it gives. */
async function withTokens(
  options: {
    readonly token?: (n: number) => object;
    /** Whether the registry takes the token with that number. */
    readonly takes?: (n: number, request: IncomingMessage) => boolean;
    readonly realm?: (host: string) => string;
  } = {},
) {
  const { token = (n) => ({ token: `token-${n}`, expires_in: 300 }), takes = () => true } = options;
  const registry = await TestRegistry.start();
  const server = await TestRegistry.start();
  const image = makeImage();
  registry.add('x', 'latest', image);
  let given = 0;
  server.intercept = (_request, response) => {
    given++;
    response.end(JSON.stringify(token(given)));
    return true;
  };
  const realm = options.realm?.(server.host) ?? `http://${server.host}/token?fixed=1`;
  registry.intercept = (request, response) => {
    const n = Number(/^Bearer token-([0-9]+)$/.exec(request.headers.authorization ?? '')?.[1] ?? 0);
    if (n > 0 && takes(n, request)) return undefined;
    const challenge = `Bearer realm="${realm}",service="registry.test",scope="repository:x:pull"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
    return true;
  };
  return {
    registry,
    server,
    image,
    name: `${registry.host}/x`,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function keepFile(store: TestStore, name: string, content: unknown): void {
  const path = join(store.folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
}

test('a token is asked for once, with the service and the scope, and does for all layers', async () => {
  await using scene = await withTokens();
  using store = makeStore();
  await pullFrom(store, scene.name);
  assert.deepEqual(
    scene.server.asked.map(({ path }) => path),
    ['/token?fixed=1&service=registry.test&scope=repository%3Ax%3Apull'],
  );
  assert.equal(scene.server.asked[0]?.headers.authorization, undefined);
  assert.equal(scene.registry.asked.filter(({ headers }) => headers.authorization === undefined).length, 1);
});

test('a name and a password go to the token server, and never to the registry', async () => {
  await using scene = await withTokens();
  using store = makeStore();
  await pullFrom(store, scene.name, { credentials: me });
  assert.equal(scene.server.asked[0]?.headers.authorization, basic);
  assert.ok(scene.server.asked[0]?.path.endsWith('&account=me'));
  assert.ok(scene.registry.asked.every(({ headers }) => headers.authorization?.startsWith('Basic') !== true));
});

test('a token that the registry stops taking in the middle is renewed once', async () => {
  // The first one does for the manifest alone.
  await using scene = await withTokens({ takes: (n, { url = '' }) => n > 1 || url.includes('manifests') });
  using store = makeStore();
  await pullFrom(store, scene.name);
  assert.equal(scene.server.asked.length, 2);
});

test('a token that has run out is renewed before it is refused', async () => {
  await using scene = await withTokens({ token: (n) => ({ access_token: `token-${n}`, expires_in: 1e-6 }) });
  using store = makeStore();
  await pullFrom(store, scene.name);
  // Manifest, config and two layers.
  assert.ok(scene.server.asked.length >= 3);
  assert.equal(scene.registry.asked.filter(({ headers }) => headers.authorization === undefined).length, 1);
});

test('a registry that takes no token is not asked for ever', async () => {
  await using scene = await withTokens({ takes: () => false });
  using store = makeStore();
  const message = await fails('REGISTRY_UNAUTHORIZED', pullFrom(store, scene.name), ['token-1']);
  assert.ok(message.includes(scene.registry.host), message);
  assert.equal(scene.registry.asked.length, 2);
  assert.equal(scene.server.asked.length, 1);
});

test('a password that the token server does not take is said to be it', async () => {
  await using scene = await withTokens();
  scene.server.intercept = (request, response) => {
    response.writeHead(401);
    // Some servers are talkative.
    response.end(JSON.stringify({ errors: [{ message: `no: ${request.headers.authorization}` }] }));
    return true;
  };
  using store = makeStore();
  const secrets = ['hunter22', basic.slice(6)];
  const message = await fails(
    'REGISTRY_UNAUTHORIZED',
    pullFrom(store, scene.name, { credentials: me }),
    secrets,
  );
  assert.match(message, /does not take the name and the password/);
  assert.match(
    await fails('REGISTRY_UNAUTHORIZED', pullFrom(store, scene.name)),
    /without a name and a password/,
  );
});

test('a registry that repeats the password does not get it printed', async () => {
  await using registry = await TestRegistry.start();
  registry.intercept = (request, response) => {
    const { authorization } = request.headers;
    if (authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else response.writeHead(403).end(JSON.stringify({ errors: [{ message: `${authorization} hunter22` }] }));
    return true;
  };
  using store = makeStore();
  const secrets = ['hunter22', basic.slice(6)];
  const message = await fails(
    'REGISTRY_DENIED',
    pullFrom(store, `${registry.host}/x`, { credentials: me }),
    secrets,
  );
  assert.match(message, /Basic \*\*\* \*\*\*/);
});

test('what is no token is not put into a header', async () => {
  const answers: readonly object[] = [
    { token: 'a\r\nx-evil: 1' },
    { token: 'ä' },
    { token: '' },
    { token: 5 },
    {},
    [],
    { token: 'x y' },
  ];
  for (const answer of answers) {
    await using scene = await withTokens({ token: () => answer });
    using store = makeStore();
    await fails('REGISTRY_ANSWER', pullFrom(store, scene.name));
  }
  await using scene = await withTokens();
  scene.server.intercept = (_request, response) => {
    response.end('x'.repeat(2 << 20));
    return true;
  };
  using store = makeStore();
  await fails('REGISTRY_ANSWER', pullFrom(store, scene.name));
});

test('a token server that fails is tried again, one that redirects is not followed', async () => {
  await using scene = await withTokens();
  const honest = scene.server.intercept;
  scene.server.intercept = (request, response, before) => {
    if (before > 1) return honest(request, response, before);
    response.writeHead(503).end();
    return true;
  };
  using store = makeStore();
  await pullFrom(store, scene.name);
  using other = makeStore();
  scene.server.intercept = (_request, response) => {
    response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    return true;
  };
  await fails('REGISTRY_FAILED', pullFrom(other, scene.name, { credentials: me }));
});

test('a realm that would be asked in plain HTTP over the network is not asked', async () => {
  const realms = [
    'http://registry.example/token',
    'http://0.0.0.0:1/',
    'ftp://x/',
    'nonsense',
    'http://u:p@localhost/',
  ];
  for (const realm of realms) {
    await using scene = await withTokens({ realm: () => realm });
    using store = makeStore();
    await fails('REGISTRY_ANSWER', pullFrom(store, scene.name, { credentials: me }));
    assert.equal(scene.server.asked.length, 0);
  }
});

test('an identity token is exchanged at the token server by POST', async () => {
  await using scene = await withTokens();
  let form = '';
  scene.server.intercept = async (request: IncomingMessage, response: ServerResponse) => {
    form = (await readBody(request)).toString();
    response.end(JSON.stringify({ access_token: 'token-1' }));
    return true;
  };
  using store = makeStore();
  keepFile(store, '.docker/config.json', {
    auths: { [scene.registry.host]: { auth: '', identitytoken: 'refreshing' } },
  });
  await pullFrom(store, scene.name);
  assert.equal(scene.server.asked[0]?.method, 'POST');
  assert.equal(new URLSearchParams(form).get('refresh_token'), 'refreshing');
  assert.equal(new URLSearchParams(form).get('grant_type'), 'refresh_token');
  assert.equal(new URLSearchParams(form).get('scope'), 'repository:x:pull');
});

test('several scopes are asked for one by one, and a token is renewed only by whom it failed', async () => {
  await using server = await TestRegistry.start();
  server.intercept = (_request, response) => {
    response.end('{"token":"t"}');
    return true;
  };
  const http = new HttpClient({
    stallMs: 1000,
    tlsOf: () => ({ context: undefined, verify: true }),
    proxyOf: () => undefined,
  });
  const authorizer = new Authorizer({
    endpoint: upstreamOf({ host: '127.0.0.1:1', path: 'a' }, { settings: {} }),
    http,
    scopes: ['repository:a:pull,push', 'repository:b:pull'],
    credentials: () => Promise.resolve(undefined),
    documentMs: 1000,
  });
  const challenge = `Bearer realm="http://${server.host}/",scope="repository:a:pull,push repository:c:pull"`;
  assert.equal(await authorizer.refused(parseChallenges([challenge]), undefined), true);
  const { signal } = new AbortController();
  assert.equal(await authorizer.header(signal), 'Bearer t');
  const asked = new URL(server.asked[0]?.path ?? '', 'http://x').searchParams.getAll('scope');
  assert.deepEqual(asked, ['repository:a:pull,push', 'repository:b:pull', 'repository:c:pull']);
  // A request with an older token comes back refused: the newer one is not thrown away for that.
  assert.equal(await authorizer.refused(parseChallenges([challenge]), 'Bearer older'), true);
  assert.equal(await authorizer.header(signal), 'Bearer t');
  assert.equal(server.asked.length, 1);
  assert.equal(await authorizer.refused(parseChallenges([challenge]), 'Bearer t'), true);
  await authorizer.header(signal);
  assert.equal(server.asked.length, 2);
  http.close();
});

test('Basic is answered with the password, and a wrong one is sent once', async () => {
  await using registry = await TestRegistry.start();
  registry.add('x', 'latest', makeImage());
  registry.intercept = (request, response) => {
    if (request.headers.authorization === basic) return undefined;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="Registry Realm"' }).end();
    return true;
  };
  using store = makeStore();
  await fails('REGISTRY_UNAUTHORIZED', pullFrom(store, `${registry.host}/x`));
  assert.equal(registry.asked.length, 1);
  const wrong = { ...me, password: 'letmein99' };
  const message = await fails(
    'REGISTRY_UNAUTHORIZED',
    pullFrom(store, `${registry.host}/x`, { credentials: wrong }),
    ['letmein99'],
  );
  assert.match(message, /nslab login/);
  assert.equal(registry.asked.length, 3);
  await pullFrom(store, `${registry.host}/x`, { credentials: me });
});

test('passwords of files are used for the registry they are for', async () => {
  await using registry = await TestRegistry.start();
  registry.add('team/x', 'latest', makeImage());
  const seen: (string | undefined)[] = [];
  registry.intercept = (request, response) => {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      seen.push(Buffer.from(authorization.slice(6), 'base64').toString());
      return undefined;
    }
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
  const pullWith = async (
    files: Readonly<Record<string, unknown>>,
    variables: Record<string, string> = {},
  ) => {
    using store = makeStore();
    for (const [name, content] of Object.entries(files)) keepFile(store, name, content);
    const environment = { HOME: store.folder, XDG_RUNTIME_DIR: `${store.folder}/run`, PATH: '/usr/bin:/bin' };
    const paths = Object.entries(variables).map(([key, name]) => [key, join(store.folder, name)]);
    seen.length = 0;
    await pullFrom(store, `${registry.host}/team/x`, {
      environment: { ...environment, ...Object.fromEntries(paths) },
    });
    return [...new Set(seen)].join();
  };
  const { host } = registry;
  assert.equal(await pullWith({ '.docker/config.json': { auths: { [host]: auth('a:1:2') } } }), 'a:1:2');
  assert.equal(
    await pullWith({ '.docker/config.json': { auths: { [`http://${host}/v1/`]: auth('b:1') } } }),
    'b:1',
  );
  assert.equal(
    await pullWith({ 'd/config.json': { auths: { [host]: auth('c:1') } } }, { DOCKER_CONFIG: 'd' }),
    'c:1',
  );
  const both = {
    'run/containers/auth.json': {
      auths: { [host]: auth('d:1'), [`${host}/team`]: auth('e:1'), other: auth('x:1') },
    },
    '.docker/config.json': { auths: { [host]: auth('a:1') } },
  };
  assert.equal(await pullWith(both), 'e:1');
  assert.equal(
    await pullWith({ ...both, named: { auths: { [host]: auth('f:1') } } }, { REGISTRY_AUTH_FILE: 'named' }),
    'f:1',
  );
});

test('a helper is asked for the password by name, over its standard input', async () => {
  await using registry = await TestRegistry.start();
  registry.add('x', 'latest', makeImage());
  registry.intercept = (request, response) => {
    if (request.headers.authorization === basic) return undefined;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  const { host } = registry;
  const pullWith = async (config: object, script: string) => {
    using store = makeStore();
    keepFile(store, '.docker/config.json', config);
    mkdirSync(join(store.folder, 'bin'));
    writeFileSync(join(store.folder, 'bin/docker-credential-test'), `#!/bin/sh\n${script}\n`, {
      mode: 0o755,
    });
    await pullFrom(store, `${host}/x`);
  };
  const answer = `read -r server; [ "$1 $server" = "get ${host}" ] || exit 1; echo '{"Username":"me","Secret":"hunter22"}'`;
  await pullWith({ credHelpers: { [host]: 'test' } }, answer.replace('read -r server', 'server=$(cat)'));
  await pullWith(
    { credsStore: 'test', auths: { [host]: {} } },
    answer.replace('read -r server', 'server=$(cat)'),
  );
  const missing = 'echo "credentials not found in native keychain"; exit 1';
  await fails('REGISTRY_UNAUTHORIZED', pullWith({ credsStore: 'test' }, missing));
  await pullWith({ credsStore: 'test', auths: { [host]: { auth: basic.slice(6) } } }, missing);
  const secret = ['s3cret'];
  await fails(
    'REGISTRY_CREDENTIALS',
    pullWith({ credsStore: 'test' }, 'echo s3cret; echo s3cret >&2; exit 3'),
    secret,
  );
  await fails(
    'REGISTRY_CREDENTIALS',
    pullWith({ credsStore: 'test' }, 'echo \'{"Username":"s3cret"\''),
    secret,
  );
  await fails('REGISTRY_CREDENTIALS', pullWith({ credsStore: 'absent' }, ''));
  await fails('REGISTRY_CREDENTIALS', pullWith({ credsStore: '../../bin/sh' }, ''));
});

test('a file of passwords that is damaged is named, and not shown', async () => {
  await using registry = await TestRegistry.start();
  registry.intercept = (_request, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  const { host } = registry;
  const contents = [
    '{"auths":{"x":{"auth":"s3cret"',
    's3cret',
    JSON.stringify({ auths: { [host]: { auth: Buffer.from('s3cret').toString('base64') } } }),
    JSON.stringify({ auths: { [host]: 's3cret' } }),
    JSON.stringify({ auths: ['s3cret'] }),
  ];
  for (const content of contents) {
    using store = makeStore();
    keepFile(store, '.docker/config.json', content);
    const message = await fails('REGISTRY_CREDENTIALS', pullFrom(store, `${host}/x`), ['s3cret']);
    assert.ok(message.includes('.docker/config.json'), message);
  }
  using store = makeStore();
  const environment = { HOME: store.folder, REGISTRY_AUTH_FILE: '/nonexistent/auth.json' };
  await fails('REGISTRY_CREDENTIALS', pullFrom(store, `${host}/x`, { environment }));
});

test('no token is asked for by two layers at once', async () => {
  await using scene = await withTokens({ takes: (n, { url = '' }) => n > 1 || !url.includes('/blobs/') });
  using store = makeStore();
  const image = makeImage({ layers: [100_000, 100_000, 100_000, 100_000] });
  scene.registry.add('x', 'latest', image);
  await pullFrom(store, scene.name);
  assert.equal(scene.server.asked.length, 2);
  assert.equal(store.store.hasBlob(sha256(image.layers[3] as Buffer)), true);
});
