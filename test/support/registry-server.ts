// A registry on loopback for tests, honest unless told otherwise: `intercept` sees each request first and may answer it as badly as
// it likes. It holds everything in memory and writes down what it was asked.

import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { Digest } from '../../src/image/digest.ts';
import type { Descriptor } from '../../src/image/manifest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../src/image/media-types.ts';

export function sha256(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

export type TestImage = {
  readonly manifest: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly config: Buffer;
  /** Packed, bottom first. */
  readonly layers: readonly Buffer[];
};

export type ImageShape = {
  /** Bytes of each layer before it is packed; random, so that packing makes them no smaller. */
  readonly layers?: readonly number[];
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly docker?: boolean;
};

/** An image whose layers are not tars: that is for whoever unpacks them to find out. */
export function makeImage(shape: ImageShape = {}): TestImage {
  const {
    layers: sizes = [3000, 200_000],
    platform = { os: 'linux', architecture: 'amd64' },
    docker,
  } = shape;
  const contents = sizes.map((size) => randomBytes(size));
  const layers = contents.map((content) => gzipSync(content, { level: 1 }));
  const config = Buffer.from(
    JSON.stringify({ ...platform, config: {}, rootfs: { type: 'layers', diff_ids: contents.map(sha256) } }),
  );
  const mediaType = docker === true ? DOCKER_MANIFEST : OCI_MANIFEST;
  const part = (type: string, bytes: Buffer) => ({
    mediaType: type,
    digest: sha256(bytes),
    size: bytes.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: part(docker === true ? DOCKER_CONFIG : OCI_CONFIG, config),
      layers: layers.map((bytes) => part(docker === true ? DOCKER_LAYER_GZIP : OCI_LAYER_GZIP, bytes)),
    }),
  );
  return { manifest, mediaType, digest: sha256(manifest), config, layers };
}

/** An index of images, each with its platform. */
export function makeIndex(
  entries: readonly (readonly [TestImage, Descriptor['annotations'] | object])[],
): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: entries.map(([image, more]) => ({
        mediaType: image.mediaType,
        digest: image.digest,
        size: image.manifest.length,
        ...more,
      })),
    }),
  );
}

export type Asked = {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
};

export type Intercept = (
  request: IncomingMessage,
  response: ServerResponse,
  /** How many requests for this path with this method there were before. */
  before: number,
) => boolean | undefined | Promise<boolean | undefined>;

export class TestRegistry implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** By `PATH:REFERENCE`. */
  readonly manifests = new Map<string, { readonly bytes: Buffer; readonly type: string }>();
  readonly uploads = new Map<string, Buffer>();
  /** Returns true when it has answered, or will. */
  intercept: Intercept = () => undefined;
  /** What uploads answer as Location. */
  locationOf = (id: string): string => `/v2/uploads/${id}?state=${id}x`;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(tls?: TlsOptions & SecureContextOptions): Promise<TestRegistry> {
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    const registry = new TestRegistry(server);
    server.on('request', (request, response) => void registry.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  add(path: string, tag: string, image: TestImage): void {
    for (const bytes of [image.config, ...image.layers]) this.blobs.set(sha256(bytes), bytes);
    this.addManifest(path, tag, { bytes: image.manifest, type: image.mediaType });
  }

  addManifest(path: string, tag: string, manifest: { readonly bytes: Buffer; readonly type: string }): void {
    this.manifests.set(`${path}:${tag}`, manifest);
    this.manifests.set(`${path}:${sha256(manifest.bytes)}`, manifest);
  }

  /** Those whose path has the word. */
  askedFor(word: string, method?: string): Asked[] {
    return this.asked.filter(
      (one) => one.path.includes(word) && (method === undefined || one.method === method),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const before = this.asked.filter((one) => one.method === method && one.path === url).length;
    this.asked.push({ method, path: url, headers });
    if ((await this.intercept(request, response, before)) === true) return;
    const [path = '', query] = url.split('?');
    const search = new URLSearchParams(query);
    const document = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(path);
    const blob = /^\/v2\/(.+)\/blobs\/(sha256:[0-9a-f]+)$/.exec(path);
    const upload = /^\/v2\/uploads\/([0-9a-f]+)$/.exec(path);
    if (path === '/v2/') response.end();
    else if (document !== null)
      await this.#document(request, response, [document[1] ?? '', document[2] ?? '']);
    else if (blob !== null) sendBlob(request, response, this.blobs.get(blob[2] ?? ''));
    else if (path.endsWith('/blobs/uploads/')) this.#begin(response, search);
    else if (upload !== null) await this.#upload(request, response, { id: upload[1] ?? '', search });
    else response.writeHead(404).end();
  }

  async #document(
    request: IncomingMessage,
    response: ServerResponse,
    [path, reference]: readonly [string, string],
  ): Promise<void> {
    if (request.method === 'PUT') {
      const bytes = await readBody(request);
      this.addManifest(path, reference, { bytes, type: request.headers['content-type'] ?? '' });
      response.writeHead(201, { 'docker-content-digest': sha256(bytes) }).end();
      return;
    }
    const found = this.manifests.get(`${path}:${reference}`);
    if (found === undefined) {
      sendError(response, 404, 'MANIFEST_UNKNOWN');
      return;
    }
    response.writeHead(200, {
      'content-type': found.type,
      'content-length': found.bytes.length,
      'docker-content-digest': sha256(found.bytes),
    });
    response.end(found.bytes);
  }

  #begin(response: ServerResponse, search: URLSearchParams): void {
    const mount = search.get('mount');
    if (mount !== null && this.blobs.has(mount)) {
      response.writeHead(201, { location: `/v2/x/blobs/${mount}` }).end();
      return;
    }
    const id = randomBytes(8).toString('hex');
    this.uploads.set(id, Buffer.alloc(0));
    response.writeHead(202, { location: this.locationOf(id), range: '0-0' }).end();
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    { id, search }: { readonly id: string; readonly search: URLSearchParams },
  ): Promise<void> {
    const there = this.uploads.get(id);
    if (there === undefined || search.get('state') !== `${id}x`) {
      sendError(response, 404, 'BLOB_UPLOAD_UNKNOWN');
      return;
    }
    const range = (bytes: Buffer) => ({
      location: this.locationOf(id),
      range: `0-${Math.max(0, bytes.length - 1)}`,
    });
    if (request.method === 'GET') {
      response.writeHead(204, range(there)).end();
      return;
    }
    // What arrived before the connection broke stays, as in docker's registry.
    const bytes = Buffer.concat([there, await readBody(request)]);
    this.uploads.set(id, bytes);
    if (!request.complete) return;
    if (request.method === 'PATCH') {
      response.writeHead(202, range(bytes)).end();
      return;
    }
    const digest = search.get('digest') ?? '';
    if (sha256(bytes) !== digest) {
      sendError(response, 400, 'DIGEST_INVALID');
      return;
    }
    this.uploads.delete(id);
    this.blobs.set(digest, bytes);
    response.writeHead(201, { location: `/v2/x/blobs/${digest}`, 'docker-content-digest': digest }).end();
  }
}

export function sendError(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message: `${code.toLowerCase()} it is` }] }));
}

/** As far as it comes. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The connection broke.
  }
  return Buffer.concat(chunks);
}

function sendBlob(request: IncomingMessage, response: ServerResponse, bytes: Buffer | undefined): void {
  if (bytes === undefined) {
    sendError(response, 404, 'BLOB_UNKNOWN');
    return;
  }
  const start = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start === 0) response.writeHead(200, { 'content-length': bytes.length });
  else if (start >= bytes.length) response.writeHead(416, { 'content-range': `bytes */${bytes.length}` });
  else {
    response.writeHead(206, {
      'content-length': bytes.length - start,
      'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
    });
  }
  response.end(request.method === 'HEAD' || start >= bytes.length ? undefined : bytes.subarray(start));
}

/**
 * Says how long the body is, sends only the beginning, and breaks the connection, when whoever asked has had time to take what came:
 * Node throws away what is not taken by then.
 */
export function sendCut(response: ServerResponse, bytes: Buffer, sent: number): true {
  response.writeHead(200, { 'content-length': bytes.length });
  response.write(bytes.subarray(0, sent), () => setTimeout(() => response.destroy(), 250));
  return true;
}
