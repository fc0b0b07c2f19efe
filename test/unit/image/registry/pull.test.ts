// Pulling from a registry that is honest, broken or hostile.

import assert from 'node:assert/strict';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { hexOf } from '../../../../src/image/digest.ts';
import { OCI_INDEX } from '../../../../src/image/media-types.ts';
import { makeStore, type TestStore } from '../../../support/image-store.ts';
import { fails, optionsFor, pullFrom } from '../../../support/registry-client.ts';
import {
  type Intercept,
  makeImage,
  makeIndex,
  sendCut,
  sendError,
  sha256,
  type TestImage,
  TestRegistry,
} from '../../../support/registry-server.ts';

const [SMALL, BIG] = [0, 1];

type Scene = AsyncDisposable & {
  readonly registry: TestRegistry;
  readonly store: TestStore;
  readonly image: TestImage;
  readonly name: string;
  /** The second, big layer. */
  readonly layer: Buffer;
  /** The path of its blob. */
  readonly path: string;
  /** Where its part lies while it is not whole. */
  readonly part: string;
};

/** A registry with `team/web:1`, an image of a small and a big layer, and an empty store. */
async function setScene(
  intercept?: (scene: Omit<Scene, typeof Symbol.asyncDispose>) => Intercept,
): Promise<Scene> {
  const registry = await TestRegistry.start();
  const store = makeStore();
  const image = makeImage();
  registry.add('team/web', '1', image);
  const layer = image.layers[BIG] as Buffer;
  const scene = {
    registry,
    store,
    image,
    layer,
    name: `${registry.host}/team/web:1`,
    path: `/v2/team/web/blobs/${sha256(layer)}`,
    part: join(store.folder, `images/blobs/tmp/${hexOf(sha256(layer))}.part`),
  };
  if (intercept !== undefined) registry.intercept = intercept(scene);
  return {
    ...scene,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      store[Symbol.dispose]();
    },
  };
}

/** Answers requests for the big layer. */
function onLayer(answer: (scene: Omit<Scene, typeof Symbol.asyncDispose>) => Intercept) {
  return (scene: Omit<Scene, typeof Symbol.asyncDispose>): Intercept =>
    (request, response, before) =>
      request.url === scene.path ? answer(scene)(request, response, before) : undefined;
}

function partLeft({ part }: Scene): number | undefined {
  return statSync(part, { throwIfNoEntry: false })?.size;
}

test('an image is pulled: every blob is in the store, and the name', async () => {
  await using scene = await setScene();
  const { store, image, name, registry } = scene;
  const pulled = await pullFrom(store, name);
  assert.equal(pulled.manifest, image.digest);
  assert.equal(pulled.digest, image.digest);
  assert.equal(pulled.id, sha256(image.config));
  assert.equal(pulled.isNew, true);
  const { manifest, chain } = store.store.readImage(image.digest);
  assert.deepEqual(
    manifest.layers.map(({ digest }) => digest),
    image.layers.map(sha256),
  );
  for (const id of chain) assert.ok(store.store.layers.has(id));
  assert.equal(store.store.listNames()[0]?.manifest, image.digest);
  assert.deepEqual(readdirSync(join(store.folder, 'images/blobs/tmp')), []);
  const accept = registry.askedFor('manifests')[0]?.headers.accept;
  assert.equal(accept?.split(', ').length, 4);
});

test('a second pull asks for the manifest alone', async () => {
  await using scene = await setScene();
  const { store, name, registry } = scene;
  await pullFrom(store, name);
  registry.asked.length = 0;
  assert.equal((await pullFrom(store, name)).isNew, false);
  assert.deepEqual(
    registry.asked.map(({ path }) => path),
    ['/v2/team/web/manifests/1'],
  );
});

test('a layer is unpacked while another still comes', async () => {
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  await using scene = await setScene(
    onLayer(() => async () => {
      await held;
      return undefined;
    }),
  );
  const { store, name, image } = scene;
  const small = sha256(image.layers[SMALL] as Buffer);
  const states: string[] = [];
  await pullFrom(store, name, {
    stallMs: 5000,
    onEvent: (event) => {
      if (event.type !== 'blob') return;
      states.push(`${event.digest === small ? 'small' : 'big'} ${event.state}`);
      if (event.digest === small && event.state === 'complete') letGo();
    },
  });
  assert.ok(states.indexOf('small complete') < states.indexOf('big downloaded'), states.join());
});

test("Docker's own media types and a layer that comes twice are fine", async () => {
  await using registry = await TestRegistry.start();
  using store = makeStore();
  const image = makeImage({ docker: true });
  const document = JSON.parse(image.manifest.toString());
  const config = JSON.parse(image.config.toString());
  document.layers.push(document.layers[0]);
  config.rootfs.diff_ids.push(config.rootfs.diff_ids[0]);
  const newConfig = Buffer.from(JSON.stringify(config));
  document.config = { ...document.config, digest: sha256(newConfig), size: newConfig.length };
  const manifest = Buffer.from(JSON.stringify(document));
  const twice = { ...image, manifest, config: newConfig, digest: sha256(manifest) };
  registry.add('x', 'latest', twice);
  const pulled = await pullFrom(store, `${registry.host}/x`);
  assert.equal(store.store.readImage(pulled.manifest).chain.length, 3);
  assert.equal(registry.askedFor(sha256(image.layers[0] as Buffer)).length, 1);
});

test('by digest, what comes must have it', async () => {
  await using scene = await setScene();
  const { store, image, registry } = scene;
  const name = `${registry.host}/team/web@${image.digest}`;
  assert.equal((await pullFrom(store, name)).manifest, image.digest);
  const other = makeImage();
  registry.manifests.set(`team/web:${image.digest}`, { bytes: other.manifest, type: other.mediaType });
  const message = await fails('REGISTRY_DIGEST', pullFrom(store, name));
  assert.ok(message.includes(registry.host) && message.includes('team/web@sha256:'), message);
});

test('what the header calls the manifest is compared with what came', async () => {
  await using scene = await setScene(({ image }) => (request, response) => {
    if (!request.url?.includes('manifests')) return undefined;
    response.writeHead(200, { 'content-type': image.mediaType, 'docker-content-digest': sha256('x') });
    response.end(image.manifest);
    return true;
  });
  await fails('REGISTRY_DIGEST', pullFrom(scene.store, scene.name));
});

test('of an index the image for the platform is taken, and its digest and size count', async () => {
  await using registry = await TestRegistry.start();
  using store = makeStore();
  const amd = makeImage();
  const arm = makeImage({ platform: { os: 'linux', architecture: 'arm', variant: 'v7' } });
  for (const image of [amd, arm]) registry.add('x', image.digest, image);
  const index = makeIndex([
    [arm, { platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }],
    [amd, { platform: { os: 'linux', architecture: 'amd64' } }],
  ]);
  registry.addManifest('x', '1', { bytes: index, type: OCI_INDEX });
  const name = `${registry.host}/x:1`;
  const pulled = await pullFrom(store, name);
  assert.deepEqual([pulled.manifest, pulled.digest], [amd.digest, sha256(index)]);
  assert.equal(store.store.listNames()[0]?.index, sha256(index));
  const other = await pullFrom(store, name, { platform: { os: 'linux', architecture: 'arm64' } });
  assert.equal(other.manifest, arm.digest);
  const none = { os: 'linux', architecture: 'riscv64' };
  const message = await fails('IMAGE_PLATFORM', pullFrom(store, name, { platform: none }));
  assert.match(message, /linux\/riscv64.*linux\/arm\/v7, linux\/amd64/);
  registry.manifests.set(`x:${amd.digest}`, { bytes: arm.manifest, type: arm.mediaType });
  await fails('REGISTRY_DIGEST', pullFrom(store, name));
});

test('an image without an index must be for the platform that was asked for', async () => {
  await using scene = await setScene();
  const { store, name } = scene;
  await fails('IMAGE_PLATFORM', pullFrom(store, name, { platform: { os: 'linux', architecture: 'arm64' } }));
});

test('an answer that is cut off is gone on with where it ended', async () => {
  await using scene = await setScene(
    onLayer(
      ({ layer }) =>
        (_request, response, before) =>
          before === 0 && sendCut(response, layer, 50_000),
    ),
  );
  const { store, name, registry, path, image } = scene;
  const told = optionsFor(store);
  assert.equal((await pullFrom(store, name, told)).manifest, image.digest);
  assert.deepEqual(
    registry.askedFor(path).map(({ headers }) => headers.range),
    [undefined, 'bytes=50000-'],
  );
  assert.ok(told.events.some((event) => event.type === 'blob' && event.state === 'retrying'));
});

test('a layer that always breaks fails after some tries, and the next pull goes on with what is there', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (request, response) => {
      if (request.headers.range === undefined) return sendCut(response, layer, 70_000);
      response.destroy();
      return true;
    }),
  );
  const { store, name, registry, path } = scene;
  const message = await fails('REGISTRY_UNREACHABLE', pullFrom(store, name));
  assert.ok(message.includes(registry.host) && message.includes('team/web:1'), message);
  assert.equal(partLeft(scene), 70_000);
  assert.deepEqual(store.store.listNames(), []);
  registry.asked.length = 0;
  registry.intercept = () => undefined;
  await pullFrom(store, name);
  assert.deepEqual(
    registry.askedFor(path).map(({ headers }) => headers.range),
    ['bytes=70000-'],
  );
});

test('tries that bring something do not count against the server', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (request, response) => {
      // A hundredth more each time, and never all that was announced.
      const start = Number(/[0-9]+/.exec(request.headers.range ?? '')?.[0] ?? 0);
      const end = Math.min(layer.length, start + 20_000);
      response.writeHead(start === 0 ? 200 : 206, {
        'content-length': layer.length - start,
        'content-range': `bytes ${start}-${layer.length - 1}/${layer.length}`,
      });
      response.write(layer.subarray(start, end), () => setTimeout(() => response.destroy(), 100));
      return true;
    }),
  );
  const { store, name, registry, path } = scene;
  await pullFrom(store, name);
  assert.ok(registry.askedFor(path).length > 10);
});

test('what has another digest is thrown away, and a later pull is not spoiled by it', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (_request, response) => {
      const wrong = Buffer.from(layer);
      wrong[1000] = (wrong[1000] ?? 0) ^ 1;
      response.end(wrong);
      return true;
    }),
  );
  const { store, name, registry, layer } = scene;
  const message = await fails('REGISTRY_DIGEST', pullFrom(store, name));
  assert.ok(message.includes(sha256(layer)), message);
  assert.equal(partLeft(scene), undefined);
  assert.equal(store.store.hasBlob(sha256(layer)), false);
  registry.intercept = () => undefined;
  await pullFrom(store, name);
});

test('a part on the disk that is not the beginning of the layer costs one more download', async () => {
  await using scene = await setScene();
  const { store, name, registry, path, part } = scene;
  writeFileSync(part, Buffer.alloc(5000, 7));
  await pullFrom(store, name);
  assert.deepEqual(
    registry.askedFor(path).map(({ headers }) => headers.range),
    ['bytes=5000-', undefined],
  );
});

test('a part that is whole needs no request, and one that is too long is none', async () => {
  await using scene = await setScene();
  const { store, name, registry, path, part, layer } = scene;
  writeFileSync(part, layer);
  await pullFrom(store, name);
  assert.equal(registry.askedFor(path).length, 0);
  await using second = await setScene();
  writeFileSync(second.part, Buffer.alloc(second.layer.length + 1));
  await pullFrom(second.store, second.name);
  assert.deepEqual(
    second.registry.askedFor(second.path).map(({ headers }) => headers.range),
    [undefined],
  );
});

test('a layer of another size than the manifest says is refused before it is read', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (_request, response) => {
      response.writeHead(200, { 'content-length': layer.length + 1 });
      response.end(Buffer.concat([layer, Buffer.from('x')]));
      return true;
    }),
  );
  await fails('REGISTRY_DIGEST', pullFrom(scene.store, scene.name));
});

test('a layer that never ends is cut at its size', async () => {
  let sent = 0;
  let closed = false;
  await using scene = await setScene(
    onLayer(() => (_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(1 << 16);
      const more = (): void => {
        if (closed) return;
        sent += chunk.length;
        response.write(chunk, more);
      };
      response.on('close', () => {
        closed = true;
      });
      more();
      return true;
    }),
  );
  const { store, name, layer } = scene;
  await fails('REGISTRY_DIGEST', pullFrom(store, name));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(closed);
  // What the sockets hold, and not much more.
  assert.ok(sent < layer.length + (16 << 20), `${sent} bytes were sent`);
  // The lock file may stay; not a byte of what came does.
  assert.ok((partLeft(scene) ?? 0) === 0);
});

test('silence is not waited for for ever', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (_request, response, before) => {
      if (before > 1) return undefined;
      response.writeHead(200, { 'content-length': layer.length });
      response.write(layer.subarray(0, 1000 * (before + 1)));
      return true;
    }),
  );
  const { store, name, registry, path } = scene;
  await pullFrom(store, name, { stallMs: 400 });
  assert.equal(registry.askedFor(path).length, 3);
});

test('a registry that never answers is given up, by name', async () => {
  await using scene = await setScene(() => () => true);
  const { store, name, registry } = scene;
  const message = await fails('REGISTRY_TIMEOUT', pullFrom(store, name, { stallMs: 1000 }));
  assert.ok(message.includes(registry.host) && message.includes('for 1 s'), message);
  assert.equal(registry.asked.length, 4);
});

test('a document that drips has an end', async () => {
  await using scene = await setScene(() => (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(drip));
    return true;
  });
  const options = { documentMs: 200, retry: { ...optionsFor(scene.store).retry, attempts: 2 } };
  await fails('REGISTRY_TIMEOUT', pullFrom(scene.store, scene.name, options));
});

test('a server that cannot go on from the middle sends all of it', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (_request, response, before) => {
      if (before === 0) return sendCut(response, layer, 50_000);
      response.writeHead(200, { 'content-length': layer.length }).end(layer);
      return true;
    }),
  );
  await pullFrom(scene.store, scene.name);
  assert.equal(scene.registry.askedFor(scene.path).length, 2);
});

test('a server that sends another part than asked for is asked for all of it', async () => {
  const wrong = [
    'bytes 0-99/100',
    'bytes 49999-60000/200000',
    'bytes 50000-60000/100',
    'bytes 50000-999999999/*',
    'nonsense',
    undefined,
  ];
  for (const range of wrong) {
    await using scene = await setScene(
      onLayer(({ layer }) => (request, response, before) => {
        if (before === 0) return sendCut(response, layer, 50_000);
        if (request.headers.range === undefined) return undefined;
        response.writeHead(206, range === undefined ? {} : { 'content-range': range });
        response.end(layer.subarray(50_000));
        return true;
      }),
    );
    await pullFrom(scene.store, scene.name);
    assert.deepEqual(
      scene.registry.askedFor(scene.path).map(({ headers }) => headers.range),
      [undefined, 'bytes=50000-', undefined],
      String(range),
    );
  }
});

test('a part that is sent longer than the layer is refused', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (_request, response, before) => {
      if (before === 0) return sendCut(response, layer, 50_000);
      response.writeHead(206, { 'content-range': `bytes 50000-${layer.length - 1}/${layer.length}` });
      response.end(Buffer.concat([layer.subarray(50_000), Buffer.alloc(100)]));
      return true;
    }),
  );
  await fails('REGISTRY_DIGEST', pullFrom(scene.store, scene.name));
});

test('a registry that says 416 is asked for all of it', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (request, response, before) => {
      if (before === 0) return sendCut(response, layer, 50_000);
      if (request.headers.range === undefined) return undefined;
      response.writeHead(416).end();
      return true;
    }),
  );
  await pullFrom(scene.store, scene.name);
});

test('a manifest without end is not read to its end', async () => {
  let sent = 0;
  await using scene = await setScene(() => (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' });
    const chunk = Buffer.alloc(1 << 16, ' ');
    const more = (): void => {
      sent += chunk.length;
      if (!response.destroyed) response.write(chunk, more);
    };
    more();
    return true;
  });
  const message = await fails('REGISTRY_ANSWER', pullFrom(scene.store, scene.name));
  assert.match(message, /more than 4194304 bytes/);
  assert.ok(sent < 32 << 20, `${sent} bytes were sent`);
});

test('a document that is packed without having been asked for is refused, so that none unpacks to gigabytes', async () => {
  await using scene = await setScene(({ image }) => (request, response) => {
    assert.equal(request.headers['accept-encoding'], 'identity');
    response.writeHead(200, { 'content-type': image.mediaType, 'content-encoding': 'gzip' });
    response.end(image.manifest);
    return true;
  });
  assert.match(await fails('REGISTRY_ANSWER', pullFrom(scene.store, scene.name)), /gzip/);
});

test('a document of another type than a manifest is refused', async () => {
  const types: readonly (readonly [string, 'REGISTRY_ANSWER' | 'IMAGE_BROKEN' | 'IMAGE_FORMAT'])[] = [
    ['text/html; charset=utf-8', 'REGISTRY_ANSWER'],
    [OCI_INDEX, 'IMAGE_BROKEN'],
    ['application/vnd.docker.distribution.manifest.v1+prettyjws', 'IMAGE_FORMAT'],
  ];
  for (const [type, code] of types) {
    await using scene = await setScene(({ image }) => (_request, response) => {
      response.writeHead(200, { 'content-type': type }).end(image.manifest);
      return true;
    });
    const message = await fails(code, pullFrom(scene.store, scene.name));
    assert.ok(message.includes('team/web:1') && message.includes(scene.registry.host), message);
  }
  for (const type of ['application/json', 'Application/Vnd.OCI.Image.Manifest.v1+JSON; x=y']) {
    await using scene = await setScene(({ image }) => (request, response) => {
      if (!request.url?.includes('manifests')) return undefined;
      response.writeHead(200, { 'content-type': type }).end(image.manifest);
      return true;
    });
    await pullFrom(scene.store, scene.name);
  }
});

test('a manifest that is no JSON, or says what no manifest says, is refused', async () => {
  const other = makeImage();
  const document = JSON.parse(other.manifest.toString());
  const cases = [
    '{"schemaVersion":2',
    '[]',
    '{"schemaVersion":2,"manifests":[],"layers":[]}',
    JSON.stringify({ ...document, layers: [{ ...document.layers[0], size: -1 }] }),
    JSON.stringify({ ...document, layers: [{ ...document.layers[0], digest: 'sha256:../../etc/passwd' }] }),
    JSON.stringify({ ...document, config: { ...document.config, size: 1e9 } }),
  ];
  for (const text of cases) {
    await using scene = await setScene(() => (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
      return true;
    });
    await fails('IMAGE_BROKEN', pullFrom(scene.store, scene.name));
  }
});

test('a redirect to another host is followed, and who we are stays at home', async () => {
  await using storage = await TestRegistry.start();
  await using scene = await setScene(({ image }) => (request, response) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    }
    if (!request.url?.includes('blobs')) return undefined;
    for (const bytes of [image.config, ...image.layers]) storage.blobs.set(sha256(bytes), bytes);
    response.writeHead(307, { location: `http://${storage.host}${request.url}?signature=s3cret` }).end();
    return true;
  });
  const credentials = { kind: 'password', username: 'me', password: 'hunter22' } as const;
  await pullFrom(scene.store, scene.name, { credentials });
  assert.equal(storage.asked.length, 3);
  assert.ok(storage.asked.every(({ headers }) => headers.authorization === undefined));
  assert.ok(storage.asked.every(({ path }) => path.endsWith('?signature=s3cret')));
});

test('a host that is redirected to may not ask who we are (CVE-2020-15157)', async () => {
  await using storage = await TestRegistry.start();
  storage.intercept = (_request, response) => {
    response.writeHead(401, {
      'www-authenticate': `Basic realm="x", Bearer realm="http://${storage.host}/token"`,
    });
    response.end();
    return true;
  };
  await using scene = await setScene(
    onLayer(() => (request, response) => {
      response.writeHead(302, { location: `http://${storage.host}${request.url}?signature=s3cret` }).end();
      return true;
    }),
  );
  const credentials = { kind: 'password', username: 'me', password: 'hunter22' } as const;
  await fails('REGISTRY_FAILED', pullFrom(scene.store, scene.name, { credentials }), ['s3cret', 'hunter22']);
  assert.ok(
    storage.asked.every(
      ({ path, headers }) => !path.includes('token') && headers.authorization === undefined,
    ),
  );
});

test('a redirect must lead somewhere, and not in a circle', async () => {
  const targets = [
    '',
    'file:///etc/passwd',
    'http://u:p@127.0.0.1/',
    'http://0.0.0.0:1/',
    'http://[',
    'gopher://x',
  ];
  for (const location of targets) {
    await using scene = await setScene(
      onLayer(() => (_request, response) => {
        response.writeHead(307, location === '' ? {} : { location }).end();
        return true;
      }),
    );
    await fails('REGISTRY_ANSWER', pullFrom(scene.store, scene.name));
  }
  await using scene = await setScene(
    onLayer(() => (request, response) => {
      response.writeHead(307, { location: request.url }).end();
      return true;
    }),
  );
  await fails('REGISTRY_ANSWER', pullFrom(scene.store, scene.name));
  assert.equal(scene.registry.askedFor(scene.path).length, 6);
});

test('status 429 is waited for as long as it says, if that is not too long', async () => {
  await using scene = await setScene(() => (_request, response, before) => {
    if (before > 0) return undefined;
    response.writeHead(429, { 'retry-after': '1' }).end();
    return true;
  });
  const start = performance.now();
  await pullFrom(scene.store, scene.name, {
    retry: { ...optionsFor(scene.store).retry, longestWaitMs: 1500 },
  });
  assert.ok(performance.now() - start > 990);
  await using other = await setScene(() => (_request, response) => {
    response.writeHead(429, { 'retry-after': '3600' });
    response.end('{"errors":[{"code":"TOOMANYREQUESTS","message":"calm down"}]}');
    return true;
  });
  const message = await fails('REGISTRY_RATE_LIMIT', pullFrom(other.store, other.name));
  assert.match(message, /calm down.*3600 s/);
  assert.equal(other.registry.asked.length, 1);
});

test('a failure of the server is tried again, and then told in its own words', async () => {
  await using scene = await setScene(() => (_request, response, before) => {
    if (before > 1) return undefined;
    response.writeHead(503).end();
    return true;
  });
  await pullFrom(scene.store, scene.name);
  await using other = await setScene(() => (_request, response) => {
    sendError(response, 500, 'BAD_DAY');
    return true;
  });
  assert.match(await fails('REGISTRY_FAILED', pullFrom(other.store, other.name)), /500 .*bad_day it is/);
  assert.equal(other.registry.asked.length, 4);
});

test('what is not there, or not allowed, is said at once', async () => {
  await using scene = await setScene();
  const { store, registry } = scene;
  const message = await fails('REGISTRY_NOT_FOUND', pullFrom(store, `${registry.host}/team/web:2`));
  assert.ok(message.includes(`${registry.host}/team/web:2`), message);
  assert.equal(registry.asked.length, 1);
  registry.intercept = (_request, response) => {
    sendError(response, 403, 'DENIED');
    return true;
  };
  await fails('REGISTRY_DENIED', pullFrom(store, `${registry.host}/team/web:1`));
});

test('nobody listening is said at once', async () => {
  using store = makeStore();
  const message = await fails('REGISTRY_UNREACHABLE', pullFrom(store, '127.0.0.1:1/x'));
  assert.match(message, /127\.0\.0\.1:1.*ECONNREFUSED/);
});

test('an answer that is no HTTP is refused', async () => {
  const { createServer } = await import('node:net');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('SSH-2.0-OpenSSH_9.2p1\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  using store = makeStore();
  const { port } = server.address() as { port: number };
  await fails('REGISTRY_ANSWER', pullFrom(store, `127.0.0.1:${port}/x`));
  server.close();
});

test('a header without end is not read to its end', async () => {
  await using scene = await setScene(() => (_request, response) => {
    response.writeHead(200, { 'x-long': 'x'.repeat(200_000) }).end();
    return true;
  });
  await fails('REGISTRY_ANSWER', pullFrom(scene.store, scene.name));
});

test('a mirror is asked first, and its failure is none', async () => {
  await using scene = await setScene();
  const { store, image, name, registry } = scene;
  await using mirror = await TestRegistry.start();
  mirror.add('copies/team/web', '1', image);
  await pullFrom(store, name, { mirrors: [`${mirror.host}/copies`] });
  assert.equal(registry.asked.length, 0);
  assert.ok(mirror.asked.length >= 4);

  // It has the manifest and not the layers; another has nothing, a third does not answer.
  using other = makeStore();
  mirror.blobs.clear();
  await using empty = await TestRegistry.start();
  const mirrors = ['127.0.0.1:1', empty.host, `${mirror.host}/copies`];
  const told = optionsFor(other);
  await pullFrom(other, name, { ...told, settings: { [registry.host]: { mirrors } } });
  assert.equal(registry.askedFor('manifests').length, 0);
  assert.ok(registry.askedFor('blobs').length >= 3);
  assert.ok(told.events.some((event) => event.type === 'note' && event.text.includes('127.0.0.1:1')));
});

test('passwords for a registry are not for its mirrors', async () => {
  await using scene = await setScene();
  const { store, name } = scene;
  await using mirror = await TestRegistry.start();
  mirror.intercept = (_request, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  const credentials = { kind: 'password', username: 'me', password: 'hunter22' } as const;
  await pullFrom(store, name, { mirrors: [mirror.host], credentials });
  assert.ok(mirror.asked.every(({ headers }) => headers.authorization === undefined));
});

test('interrupted, it leaves the part and no lock', async () => {
  await using scene = await setScene(
    onLayer(({ layer }) => (request, response) => {
      if (request.headers.range !== undefined) return undefined;
      response.writeHead(200, { 'content-length': layer.length });
      response.write(layer.subarray(0, 60_000));
      return true;
    }),
  );
  const { store, name, layer, registry } = scene;
  const stop = new AbortController();
  const pulling = pullFrom(store, name, {
    signal: stop.signal,
    stallMs: 10_000,
    onEvent: (event) => {
      if (event.type === 'blob' && event.state === 'downloading' && event.done === 60_000) stop.abort();
    },
  });
  assert.match(await fails('INTERRUPTED', pulling), /the next pull goes on/);
  assert.equal(partLeft(scene), 60_000);
  assert.deepEqual(store.store.listNames(), []);
  (await store.store.own(100))[Symbol.dispose]();
  registry.asked.length = 0;
  await pullFrom(store, name);
  assert.deepEqual(
    registry.askedFor(sha256(layer)).map(({ headers }) => headers.range),
    ['bytes=60000-'],
  );
});

test('two pulls at once fetch each layer once', async () => {
  await using scene = await setScene();
  const { store, name, registry, path } = scene;
  await Promise.all([pullFrom(store, name), pullFrom(store, name)]);
  assert.equal(registry.askedFor(path).length, 1);
});

test('one layer that fails ends the others', async () => {
  await using registry = await TestRegistry.start();
  using store = makeStore();
  const image = makeImage({ layers: [1000, 300_000, 300_000, 300_000, 300_000, 300_000] });
  registry.add('x', 'latest', image);
  const bad = sha256(image.layers[0] as Buffer);
  registry.intercept = (request, response) => {
    if (!request.url?.includes('/blobs/') || request.url.includes(sha256(image.config))) return undefined;
    if (request.url.includes(bad)) {
      setTimeout(() => sendError(response, 404, 'BLOB_UNKNOWN'), 50);
      return true;
    }
    // The others hang.
    response.writeHead(200).write('x');
    return true;
  };
  const start = performance.now();
  await fails('REGISTRY_NOT_FOUND', pullFrom(store, `${registry.host}/x`, { stallMs: 5000 }));
  assert.ok(performance.now() - start < 3000);
});
