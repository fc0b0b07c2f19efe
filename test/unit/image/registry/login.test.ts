// Keeping and forgetting passwords.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { login, logout } from '../../../../src/image/registry/login.ts';
import { makeStore } from '../../../support/image-store.ts';
import { fails, optionsFor } from '../../../support/registry-client.ts';
import { TestRegistry } from '../../../support/registry-server.ts';

const me = { username: 'me', password: 'hunter22' };
const auth = Buffer.from('me:hunter22').toString('base64');

async function setScene() {
  const registry = await TestRegistry.start();
  registry.intercept = (request, response) => {
    if (request.headers.authorization === `Basic ${auth}`) return undefined;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  const store = makeStore();
  const config = join(store.folder, '.docker/config.json');
  return {
    registry,
    store,
    config,
    options: optionsFor(store),
    read: () => JSON.parse(readFileSync(config, 'utf8')) as Record<string, unknown>,
    write: (value: unknown) => {
      mkdirSync(join(config, '..'), { recursive: true });
      writeFileSync(config, JSON.stringify(value));
    },
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      store[Symbol.dispose]();
    },
  };
}

test('a password that the registry knows is kept, for its owner alone, beside what was there', async () => {
  await using scene = await setScene();
  const { registry, options, config, read, write } = scene;
  write({ psFormat: 'x', auths: { other: { auth: 'eDp5' } } });
  assert.equal(await login(registry.host, me, options), config);
  assert.deepEqual(read(), { psFormat: 'x', auths: { other: { auth: 'eDp5' }, [registry.host]: { auth } } });
  assert.equal(statSync(config).mode & 0o777, 0o600);
  assert.equal(await logout(registry.host, options.environment), true);
  assert.deepEqual(read(), { psFormat: 'x', auths: { other: { auth: 'eDp5' } } });
  assert.equal(await logout(registry.host, options.environment), false);
});

test('a password that it does not know is not', async () => {
  await using scene = await setScene();
  const wrong = { username: 'me', password: 'letmein99' };
  await fails('REGISTRY_UNAUTHORIZED', login(scene.registry.host, wrong, scene.options), ['letmein99']);
  assert.throws(scene.read, { code: 'ENOENT' });
});

test('$REGISTRY_AUTH_FILE is written where it is named, and need not be there', async () => {
  await using scene = await setScene();
  const path = join(scene.store.folder, 'named/auth.json');
  const environment = { ...scene.options.environment, REGISTRY_AUTH_FILE: path };
  assert.equal(await login(scene.registry.host, me, { ...scene.options, environment }), path);
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), { auths: { [scene.registry.host]: { auth } } });
});

test('a helper that the file names keeps the password, and the file does not', async () => {
  await using scene = await setScene();
  const { registry, options, store, read, write } = scene;
  const log = join(store.folder, 'log');
  mkdirSync(join(store.folder, 'bin'));
  writeFileSync(join(store.folder, 'bin/docker-credential-test'), `#!/bin/sh\necho "$1 $(cat)" >> ${log}\n`, {
    mode: 0o755,
  });
  write({ credsStore: 'test' });
  assert.equal(await login(registry.host, me, options), 'docker-credential-test');
  assert.equal(await logout(registry.host, options.environment), true);
  const entry = JSON.stringify({ ServerURL: registry.host, Username: 'me', Secret: 'hunter22' });
  assert.equal(readFileSync(log, 'utf8'), `store ${entry}\nerase ${registry.host}\n`);
  assert.deepEqual(read(), { credsStore: 'test' });
});
