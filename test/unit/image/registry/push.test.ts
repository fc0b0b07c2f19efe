// Pushing to a registry that is honest, broken or hostile.

import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import test from 'node:test';
import { makeStore, type TestStore } from '../../../support/image-store.ts';
import { fails, optionsFor, pullFrom, pushTo, quick, referenceTo } from '../../../support/registry-client.ts';
import {
  makeImage,
  readBody,
  sendError,
  sha256,
  type TestImage,
  TestRegistry,
} from '../../../support/registry-server.ts';

type Scene = AsyncDisposable & {
  readonly registry: TestRegistry;
  readonly store: TestStore;
  readonly image: TestImage;
  /** What is pushed to; the store knows the image by it. */
  readonly name: string;
  readonly big: Buffer;
};

/** A store that has an image, and an empty registry for it. */
async function setScene(): Promise<Scene> {
  const registry = await TestRegistry.start();
  const store = makeStore();
  const image = makeImage();
  {
    await using source = await TestRegistry.start();
    source.add('x', 'latest', image);
    await pullFrom(store, `${source.host}/x`);
  }
  const name = `${registry.host}/new/web:2`;
  store.store.setReference(referenceTo(name), image.digest);
  return {
    registry,
    store,
    image,
    name,
    big: image.layers[1] as Buffer,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      store[Symbol.dispose]();
    },
  };
}

function assertThere({ registry, image }: Scene): void {
  assert.deepEqual(registry.manifests.get('new/web:2')?.bytes, image.manifest);
  for (const bytes of [image.config, ...image.layers])
    assert.deepEqual(registry.blobs.get(sha256(bytes)), bytes);
}

/** The upload that is the big layer's: it has more bytes than the others. */
function isBig({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > 10_000;
}

test('an image is pushed byte for byte, its manifest last', async () => {
  await using scene = await setScene();
  const { registry, store, name, image } = scene;
  const pushed = await pushTo(store, name);
  assert.equal(pushed.digest, image.digest);
  assertThere(scene);
  assert.equal(registry.manifests.get('new/web:2')?.type, image.mediaType);
  assert.deepEqual(registry.asked.at(-1)?.path, '/v2/new/web/manifests/2');
  // What it has is not sent again.
  registry.asked.length = 0;
  await pushTo(store, name);
  assert.deepEqual(
    registry.asked.map(({ method }) => method),
    ['HEAD', 'HEAD', 'HEAD', 'PUT'],
  );
});

test('a large layer goes in chunks', async () => {
  await using scene = await setScene();
  const { registry, store, name, big } = scene;
  const told = optionsFor(store);
  await pushTo(store, name, { ...told, chunk: 60_000 });
  assertThere(scene);
  const ranges = registry.askedFor('uploads', 'PATCH').map(({ headers }) => headers['content-range']);
  assert.deepEqual(ranges.slice(0, 2), ['0-59999', '60000-119999']);
  assert.equal(ranges.at(-1), `180000-${big.length - 1}`);
  const done = told.events.flatMap((event) =>
    event.type === 'blob' && event.state === 'uploading' && event.size === big.length ? [event.done] : [],
  );
  assert.equal(done.at(-1), big.length);
});

test('a chunk is as large as the registry wants at least', async () => {
  await using scene = await setScene();
  const { registry, store, name } = scene;
  registry.intercept = (request, response) => {
    if (request.method === 'POST') response.setHeader('oci-chunk-min-length', '150000');
    return undefined;
  };
  await pushTo(store, name, { chunk: 60_000 });
  assertThere(scene);
  assert.equal(registry.askedFor('uploads', 'PATCH').length, 2);
});

test('a chunk that breaks is gone on with where the registry says', async () => {
  await using scene = await setScene();
  const { registry, store, name } = scene;
  let broken = 0;
  registry.intercept = async (request) => {
    if (request.method !== 'PATCH' || request.headers['content-range'] !== '60000-119999' || broken++ > 0)
      return;
    const id = /uploads\/([0-9a-f]+)/.exec(request.url ?? '')?.[1] ?? '';
    // So much has arrived.
    const first = await new Promise<Buffer>((resolve) => request.once('data', resolve));
    registry.uploads.set(
      id,
      Buffer.concat([registry.uploads.get(id) ?? Buffer.alloc(0), first.subarray(0, 1000)]),
    );
    request.socket.destroy();
    return true;
  };
  await pushTo(store, name, { chunk: 60_000 });
  assertThere(scene);
  const ranges = registry.askedFor('uploads', 'PATCH').map(({ headers }) => headers['content-range']);
  assert.ok(ranges.includes('61000-120999'), ranges.join());
  assert.equal(registry.askedFor('uploads', 'GET').length, 1);
});

test('an upload that the registry has lost begins anew', async () => {
  for (const chunk of [60_000, 1 << 20]) {
    await using scene = await setScene();
    const { registry, store, name } = scene;
    let broken = 0;
    registry.intercept = (request) => {
      if (!isBig(request) || broken++ > 0) return undefined;
      registry.uploads.clear();
      request.socket.destroy();
      return true;
    };
    await pushTo(store, name, { chunk });
    assertThere(scene);
  }
});

test('an upload that is unknown when its layer comes begins anew', async () => {
  for (const chunk of [60_000, 1 << 20]) {
    await using scene = await setScene();
    const { registry, store, name } = scene;
    let lost = 0;
    registry.intercept = (request) => {
      if (isBig(request) && lost++ === 0) registry.uploads.clear();
      return undefined;
    };
    await pushTo(store, name, { chunk });
    assert.ok(lost > 1);
    assertThere(scene);
  }
});

test('a registry that never takes the layer is given up, and gets no manifest', async () => {
  await using scene = await setScene();
  const { registry, store, name } = scene;
  registry.intercept = (request) => {
    if (!isBig(request)) return undefined;
    request.socket.destroy();
    return true;
  };
  const message = await fails('REGISTRY_UNREACHABLE', pushTo(store, name));
  assert.ok(message.includes('new/web:2') && message.includes(registry.host), message);
  assert.equal(registry.askedFor('manifests').length, 0);
  assert.equal(registry.askedFor('uploads', 'PUT').length >= quick.attempts, true);
});

test('a refusal in the middle of a layer is told, and the rest is not sent', async () => {
  await using scene = await setScene();
  const { registry, store, name } = scene;
  registry.intercept = (request, response) => {
    if (request.method !== 'PUT') return undefined;
    sendError(response, 413, 'SIZE_INVALID');
    return true;
  };
  assert.match(await fails('REGISTRY_FAILED', pushTo(store, name)), /413.*size_invalid it is/);
});

test('a layer that another repository of the registry has is mounted from there', async () => {
  await using scene = await setScene();
  const { registry, store, name, image, big } = scene;
  registry.add('old/web', '1', image);
  store.store.setReference(referenceTo(`${registry.host}/old/web:1`), image.digest);
  const honest = registry.intercept;
  registry.intercept = (request, response, before) => {
    // The repository that is pushed to has nothing yet.
    if (request.method !== 'HEAD') return honest(request, response, before);
    response.writeHead(404).end();
    return true;
  };
  await pushTo(store, name);
  const mounts = registry
    .askedFor('mount=', 'POST')
    .map(({ path }) => new URL(path, 'http://x').searchParams);
  assert.deepEqual(
    mounts.map((search) => search.get('from')),
    ['old/web', 'old/web'],
  );
  assert.ok(mounts.some((search) => search.get('mount') === sha256(big)));
  assert.ok(
    registry.askedFor('uploads', 'PUT').every(({ headers }) => headers['content-length'] !== `${big.length}`),
  );
  // It may not have it after all.
  await using other = await setScene();
  other.store.store.setReference(referenceTo(`${other.registry.host}/old/web:1`), other.image.digest);
  await pushTo(other.store, other.name);
  assertThere(other);
});

test('where the registry sends the upload may have no name and password in it, and no plain HTTP over the network', async () => {
  const locations = ['', 'http://0.0.0.0:1/x', 'http://u:p@127.0.0.1/x', 'file:///etc/passwd', 'http://['];
  for (const location of locations) {
    await using scene = await setScene();
    scene.registry.intercept = (request, response) => {
      if (request.method !== 'POST') return undefined;
      response.writeHead(202, location === '' ? {} : { location }).end();
      return true;
    };
    await fails('REGISTRY_ANSWER', pushTo(scene.store, scene.name));
  }
});

test('an upload that is sent to another host goes there without a password', async () => {
  await using scene = await setScene();
  await using storage = await TestRegistry.start();
  const { registry, store, name } = scene;
  registry.locationOf = (id) => `http://${storage.host}/v2/uploads/${id}?state=${id}x`;
  storage.intercept = async (request, response) => {
    const bytes = await readBody(request);
    registry.blobs.set(sha256(bytes), bytes);
    response.writeHead(201).end();
    return true;
  };
  registry.intercept = (request, response) => {
    if (request.headers.authorization !== undefined) return undefined;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  await pushTo(store, name, { credentials: { kind: 'password', username: 'me', password: 'hunter22' } });
  assertThere(scene);
  assert.equal(storage.asked.length, 3);
  assert.ok(storage.asked.every(({ headers }) => headers.authorization === undefined));
});

test('an upload is never redirected', async () => {
  await using scene = await setScene();
  await using thief = await TestRegistry.start();
  scene.registry.intercept = (request, response) => {
    if (request.method !== 'PUT') return undefined;
    response.writeHead(307, { location: `http://${thief.host}/` }).end();
    return true;
  };
  await fails('REGISTRY_ANSWER', pushTo(scene.store, scene.name));
  assert.equal(thief.asked.length, 0);
});

test('a registry that calls what it got by another digest is not believed', async () => {
  for (const word of ['uploads', 'manifests']) {
    await using scene = await setScene();
    scene.registry.intercept = async (request, response) => {
      if (request.method !== 'PUT' || !request.url?.includes(word)) return undefined;
      await readBody(request);
      response.writeHead(201, { 'docker-content-digest': sha256('other') }).end();
      return true;
    };
    await fails('REGISTRY_DIGEST', pushTo(scene.store, scene.name));
  }
});

test('a registry that says it has more than it was sent is not believed', async () => {
  await using scene = await setScene();
  scene.registry.intercept = async (request, response) => {
    if (request.method !== 'PATCH') return undefined;
    await readBody(request);
    response.writeHead(202, { location: '/x', range: '0-99999999' }).end();
    return true;
  };
  await fails('REGISTRY_ANSWER', pushTo(scene.store, scene.name, { chunk: 60_000 }));
});

test('a token that runs out in the middle of a push is renewed, and what was refused is sent again', async () => {
  await using scene = await setScene();
  const { registry, store, name } = scene;
  let given = 0;
  let uses = 0;
  registry.intercept = (request, response) => {
    if (request.url?.startsWith('/token')) {
      given++;
      response.end(JSON.stringify({ token: `t${given}` }));
      return true;
    }
    if (request.headers.authorization === `Bearer t${given}` && uses++ % 4 < 3) return undefined;
    const challenge = `Bearer realm="http://${registry.host}/token",service="s",scope="repository:new/web:pull,push"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
    return true;
  };
  await pushTo(store, name);
  assertThere(scene);
  assert.ok(given > 1);
  assert.match(registry.askedFor('/token')[0]?.path ?? '', /scope=repository%3Anew%2Fweb%3Apull%2Cpush/);
});

test('interrupted, a push ends', async () => {
  await using scene = await setScene();
  const stop = new AbortController();
  scene.registry.intercept = (request) => {
    if (!isBig(request)) return undefined;
    stop.abort();
    return true;
  };
  await fails('INTERRUPTED', pushTo(scene.store, scene.name, { signal: stop.signal, stallMs: 10_000 }));
});
