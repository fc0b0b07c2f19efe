// Images from and to a real registry, Debian's docker-registry on loopback; what skopeo pushed is pulled, and skopeo and podman have
// the last word on what is pushed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, createSign, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { makeAuthority, makeCertificate } from '../support/certificates.ts';
import {
  account,
  makeArchive,
  noise,
  remoteDigest,
  skopeo,
  startRegistry,
} from '../support/docker-registry.ts';
import { nslab, nslabOk, startNslab } from '../support/nslab.ts';
import { makeImage, sha256, TestRegistry } from '../support/registry-server.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-e2e-registry-'));
const names: string[] = [];
const IMAGES = '/var/lib/nslab/images';
const creds = `${account.username}:${account.password}`;

after(() => {
  for (const name of names) nslab(['image', 'rm', '-f', name]);
  rmSync(folder, { recursive: true, force: true });
});

/** A home of its own, so that no password of this machine is used, and none is written to it. */
function homeOf(name: string): NodeJS.ProcessEnv {
  const home = join(folder, name);
  mkdirSync(home, { recursive: true });
  const { REGISTRY_AUTH_FILE: _, DOCKER_CONFIG: __, ...environment } = process.env;
  return {
    ...environment,
    HOME: home,
    XDG_RUNTIME_DIR: join(home, 'run'),
    XDG_CONFIG_HOME: join(home, '.config'),
  };
}

type Event = Readonly<Record<string, unknown>>;

function events(stdout: string): Event[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
}

/** The image's name goes away with the test file. */
function mine(name: string): string {
  names.push(name);
  return name;
}

const files = [
  { 'bin/busybox': readFileSync('/bin/busybox'), 'etc/motd': 'first\n' },
  { 'etc/motd': 'second\n', big: noise(3 << 20) },
  { 'etc/name': 'third\n' },
];

test('what skopeo pushed is pulled, pushed on, and pulled by skopeo and podman, with one digest', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using registry = await startRegistry({ htpasswd: true });
  const env = homeOf('basic');
  const source = mine(`${registry.host}/team/web:1`);
  const archive = makeArchive(folder, { layers: files });
  const loose = ['--dest-tls-verify=false', '--dest-creds', creds];
  skopeo('copy', '-q', ...loose, `docker-archive:${archive}`, `docker://${source}`);
  const digest = remoteDigest(source, '--creds', creds);

  const refused = nslab(['pull', source], { env });
  assert.equal(refused.status, 5, refused.stderr);
  assert.match(refused.stderr, /REGISTRY_UNAUTHORIZED.*\n.*nslab login/);
  const login = (password: string) =>
    nslab(['login', registry.host, '-u', account.username, '--password-stdin'], {
      env,
      input: `${password}\n`,
    });
  const wrong = login('wrong-s3cret');
  assert.match(wrong.stderr, /REGISTRY_UNAUTHORIZED/);
  assert.ok(!wrong.stderr.includes('wrong-s3cret'));
  assert.equal(login(account.password).status, 0);
  const kept = join(env['HOME'] ?? '', '.docker/config.json');
  assert.equal(statSync(kept).mode & 0o777, 0o600);

  assert.equal(nslabOk(['pull', '-q', source], { env }), `${source}\n`);
  const [row] = (JSON.parse(nslabOk(['image', 'ls', '--json'])) as Event[]).filter(
    (one) => one['name'] === source,
  );
  assert.equal(row?.['digest'], digest);
  const again = events(nslabOk(['pull', '--json', source], { env })).at(-1);
  assert.deepEqual([again?.['type'], again?.['isNew'], again?.['digest']], ['pulled', false, digest]);

  // skopeo and podman read what `nslab login` wrote.
  const target = mine(`${registry.host}/other/place:2`);
  nslabOk(['image', 'tag', source, target]);
  const pushed = events(nslabOk(['push', '--json', target], { env }));
  assert.deepEqual([pushed.at(-1)?.['type'], pushed.at(-1)?.['digest']], ['pushed', digest]);
  const states = pushed.filter((event) => event['type'] === 'blob' && event['state'] === 'mounted');
  assert.equal(states.length, files.length, 'layers were not mounted from the other repository');
  const authfile = ['--authfile', kept];
  assert.equal(remoteDigest(target, ...authfile), digest);
  const layout = join(folder, 'layout');
  skopeo(
    'copy',
    '-q',
    '--src-tls-verify=false',
    '--src-authfile',
    kept,
    `docker://${target}`,
    `dir:${layout}`,
  );
  assert.equal(sha256(readFileSync(join(layout, 'manifest.json'))), digest);
  assert.equal(podmanFile(target, 'etc/motd', authfile), 'second\n');

  assert.equal(nslab(['logout', registry.host], { env }).status, 0);
  assert.match(nslab(['pull', source], { env }).stderr, /REGISTRY_UNAUTHORIZED/);
});

/** A file of an image that podman pulls, in a store of its own. */
function podmanFile(name: string, path: string, options: readonly string[]): string {
  const root = mkdtempSync(join(folder, 'podman-'));
  const podman = (...words: string[]) =>
    execFileSync(
      'podman',
      ['--root', join(root, 'r'), '--runroot', join(root, 'run'), '--storage-driver', 'vfs', ...words],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
  podman('pull', '-q', '--tls-verify=false', ...options, name);
  const mounted = podman('image', 'mount', name).trim();
  const content = readFileSync(join(mounted, path), 'utf8');
  podman('image', 'umount', name);
  return content;
}

test('a container runs on an image that was pulled', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using registry = await startRegistry();
  const name = mine(`${registry.host}/run/me:1`);
  const archive = makeArchive(folder, { layers: files });
  skopeo('copy', '-q', '--dest-tls-verify=false', `docker-archive:${archive}`, `docker://${name}`);
  nslabOk(['pull', name]);
  const words = ['run', '--rm', name, '/bin/busybox', 'cat', '/etc/motd', '/etc/name'];
  assert.equal(nslabOk(words), 'second\nthird\n');
});

test('run and up pull what is not there, and what is there when they are told to', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using registry = await startRegistry();
  const name = mine(`${registry.host}/run/missing:1`);
  const publish = (...layers: typeof files): void => {
    const archive = makeArchive(folder, { layers });
    skopeo('copy', '-q', '--dest-tls-verify=false', `docker-archive:${archive}`, `docker://${name}`);
  };
  const [busybox = {}, second = {}] = files;
  const cat = ['/bin/busybox', 'cat', '/etc/motd'];
  publish(busybox as never);
  const refused = nslab(['run', '--rm', '--pull', 'never', name, ...cat]);
  assert.equal(refused.status, 125);
  assert.match(refused.stderr, /IMAGE_UNKNOWN/);
  const first = nslab(['run', '--rm', name, ...cat]);
  assert.equal(first.stdout, 'first\n', first.stderr);
  assert.match(first.stderr, /is not here: pulling it/);

  publish(busybox as never, second as never);
  assert.equal(nslabOk(['run', '--rm', name, ...cat]), 'first\n', 'what is there is not asked for');
  assert.equal(nslabOk(['run', '--rm', '--pull', 'always', name, ...cat]), 'second\n');

  nslabOk(['image', 'rm', name]);
  const node = { image: name, command: ['/bin/busybox', 'sleep', '1000'] };
  const never = { name: 'pulled', nodes: { a: { ...node, pull_policy: 'never' } } };
  const told = nslab(['up', '-'], { input: JSON.stringify(never) });
  assert.match(told.stderr, /IMAGE_UNKNOWN/);
  const input = JSON.stringify({ name: 'pulled', nodes: { a: node, b: node } });
  const up = nslab(['up', '--json', '-'], { input });
  try {
    assert.equal(up.status, 0, up.stderr);
    const types = events(up.stdout).map(({ type }) => type);
    assert.equal(types.filter((type) => type === 'pulling').length, 1, 'two nodes, one image');
    assert.equal(types.at(-1), 'up');
    assert.equal(nslabOk(['exec', 'a', ...cat]), 'second\n');
  } finally {
    nslab(['down', 'pulled']);
  }

  const gone = nslab(['run', '--rm', `${registry.host}/run/nosuch:1`, 'true']);
  assert.equal(gone.status, 125);
  assert.match(gone.stderr, /there is no image .*nosuch:1 here, and it could not be pulled: /);
  assert.deepEqual(JSON.parse(nslabOk(['ls', '--json'])), []);
});

test('a layer of more than one chunk is pushed to the registry', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using registry = await startRegistry();
  const archive = makeArchive(folder, { layers: [{ big: noise(70 << 20) }] });
  const name = mine(`${registry.host}/big:1`);
  await withImage(archive, name);
  const pushed = events(nslabOk(['push', '--json', name])).at(-1);
  assert.equal(remoteDigest(name), pushed?.['digest']);
  assert.match(registry.log(), /"PATCH \/v2\/big\/blobs\/uploads\//);
  skopeo('copy', '-q', '--src-tls-verify=false', `docker://${name}`, `dir:${join(folder, 'big')}`);
});

/** The image of an archive under a name. */
async function withImage(archive: string, name: string): Promise<void> {
  nslabOk(['image', 'load', '-q', '--name', name, archive]);
}

test('a registry with certificates of its own is believed with its authority alone', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const authority = makeAuthority(folder, 'e2e-ca');
  const tls = makeCertificate(folder, authority, { name: 'e2e-server' });
  await using registry = await startRegistry({ tls, htpasswd: true });
  const env = homeOf('tls');
  const name = mine(`${registry.host}/secure/web:1`);
  const archive = makeArchive(folder, { layers: files.slice(0, 1) });
  const loose = ['--dest-tls-verify=false', '--dest-creds', creds];
  skopeo('copy', '-q', ...loose, `docker-archive:${archive}`, `docker://${name}`);
  const login = ['login', registry.host, '-u', account.username, '--password-stdin'];
  assert.match(nslab(login, { env, input: account.password }).stderr, /REGISTRY_TLS/);
  nslabOk([...login, '--ca', authority.certFile], { env, input: account.password });
  const refused = nslab(['pull', name], { env });
  assert.match(refused.stderr, /REGISTRY_TLS.*nobody known here has signed it.*\n.*--ca FILE/);
  nslabOk(['pull', '--ca', authority.certFile, name], { env });
  nslabOk(['pull', '--insecure', name], { env });
  nslabOk(['push', '--ca', authority.certFile, name], { env });
  const certs = join(env['XDG_CONFIG_HOME'] ?? '', 'containers/certs.d', registry.host);
  mkdirSync(certs, { recursive: true });
  writeFileSync(join(certs, 'ca.crt'), authority.cert);
  nslabOk(['pull', name], { env });
  assert.equal(remoteDigest(name, '--creds', creds), sha256(readFileSync(blobOf(name))));
});

/** The manifest of an image in the store. */
function blobOf(name: string): string {
  const [row] = (JSON.parse(nslabOk(['image', 'ls', '--json'])) as Event[]).filter(
    (one) => one['name'] === name,
  );
  return join(IMAGES, 'blobs/sha256', String(row?.['digest']).slice('sha256:'.length));
}

test('of an index the image for the platform is pulled', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using registry = await startRegistry();
  const name = mine(`${registry.host}/multi:1`);
  const entries: object[] = [];
  for (const architecture of ['amd64', 'arm64']) {
    const archive = makeArchive(folder, { layers: [{ arch: architecture }], architecture });
    const one = `${registry.host}/multi:${architecture}`;
    skopeo(
      'copy',
      '-q',
      '--dest-tls-verify=false',
      '-f',
      'oci',
      `docker-archive:${archive}`,
      `docker://${one}`,
    );
    const raw = skopeo('inspect', '--raw', '--tls-verify=false', `docker://${one}`);
    const { mediaType = 'application/vnd.oci.image.manifest.v1+json' } = JSON.parse(raw) as {
      mediaType?: string;
    };
    entries.push({
      mediaType,
      digest: sha256(raw),
      size: Buffer.byteLength(raw),
      platform: { os: 'linux', architecture },
    });
  }
  const type = 'application/vnd.oci.image.index.v1+json';
  const put = await fetch(`http://${registry.host}/v2/multi/manifests/1`, {
    method: 'PUT',
    headers: { 'content-type': type },
    body: JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: entries }),
  });
  assert.equal(put.status, 201, await put.text());
  for (const architecture of ['amd64', 'arm64']) {
    nslabOk(['pull', '--platform', `linux/${architecture}`, name]);
    assert.equal((JSON.parse(nslabOk(['image', 'inspect', name])) as Event)['Architecture'], architecture);
  }
  const none = nslab(['pull', '--platform', 'linux/riscv64', name]);
  assert.match(none.stderr, /IMAGE_PLATFORM.*\n.*linux\/amd64, linux\/arm64/);
});

test('a registry with a token server is spoken to with its tokens', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const signer = makeAuthority(folder, 'tokens');
  await using tokens = await startTokens(signer);
  const { certFile } = signer;
  const token = {
    realm: tokens.realm,
    service: 'registry of a test',
    issuer: 'issuer of a test',
    rootcertbundle: certFile,
  };
  await using registry = await startRegistry({ token });
  const env = homeOf('token');
  const name = mine(`${registry.host}/team/token:1`);
  await withImage(makeArchive(folder, { layers: files.slice(0, 2) }), name);
  assert.match((await nslabAsync(['push', name], env)).stderr, /REGISTRY_(DENIED|UNAUTHORIZED)/);
  const auth = Buffer.from(creds).toString('base64');
  mkdirSync(join(env['HOME'] ?? '', '.docker'));
  writeFileSync(
    join(env['HOME'] ?? '', '.docker/config.json'),
    JSON.stringify({ auths: { [registry.host]: { auth } } }),
  );
  const pushed = await nslabAsync(['push', name], env);
  assert.equal(pushed.status, 0, pushed.stderr);
  // Without a password the token server lets one pull.
  const pulled = await nslabAsync(['pull', name], homeOf('nobody'));
  assert.equal(pulled.status, 0, pulled.stderr);
  assert.ok(tokens.asked.some((scopes) => scopes.includes('repository:team/token:pull,push')));
});

/** Runs nslab while this process goes on, which may be the server it speaks to. */
async function nslabAsync(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const child = startNslab(args, { env });
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

/** distribution's "Token Authentication Implementation": a JWT that says what may be done, signed with the certificate's key. */
async function startTokens(signer: ReturnType<typeof makeAuthority>) {
  const asked: string[][] = [];
  const key = createPrivateKey(signer.key);
  assert.equal(createPublicKey(key).asymmetricKeyType, 'ec');
  const x5c = [new X509Certificate(signer.cert).raw.toString('base64')];
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const scopes = url.searchParams.getAll('scope');
    asked.push(scopes);
    const known = request.headers.authorization === `Basic ${Buffer.from(creds).toString('base64')}`;
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',').filter((action) => known || action === 'pull') };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'issuer of a test',
      sub: '',
      aud: url.searchParams.get('service'),
      jti: 'x',
      access,
    };
    const body = `${part({ typ: 'JWT', alg: 'ES256', x5c })}.${part({ ...claims, iat: now, nbf: now - 5, exp: now + 300 })}`;
    const signature = createSign('sha256').update(body).sign({ key, dsaEncoding: 'ieee-p1363' });
    response.end(JSON.stringify({ token: `${body}.${signature.toString('base64url')}`, expires_in: 300 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    asked,
    realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A layer that stops in the middle until `open` is called. */
async function slowRegistry() {
  const registry = await TestRegistry.start();
  const image = makeImage({ layers: [2 << 20] });
  registry.add('slow', '1', image);
  const layer = image.layers[0] as Buffer;
  let isOpen = false;
  registry.intercept = (request, response) => {
    if (isOpen || !request.url?.endsWith(sha256(layer))) return undefined;
    response.writeHead(200, { 'content-length': layer.length });
    response.write(layer.subarray(0, 1 << 20));
    return true;
  };
  const part = join(IMAGES, 'blobs/tmp', `${sha256(layer).slice('sha256:'.length)}.part`);
  const open = (): void => {
    isOpen = true;
  };
  return { registry, layer, part, open, name: `${registry.host}/slow:1` };
}

async function untilSize(t: TestContext, path: string, size: number): Promise<void> {
  for (let i = 0; ; i++) {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= size) return;
    assert.ok(i < 600, `${t.name}: ${path} never had ${size} bytes`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  test(`${signal} leaves a part that the next pull goes on with, and no lock`, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const { registry, part, open, name } = await slowRegistry();
    await using _registry = registry;
    const child = startNslab(['pull', name]);
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await untilSize(t, part, 1 << 20);
    child.kill(signal);
    assert.equal(await ended, signal === 'SIGKILL' ? null : 130);
    assert.equal(statSync(part).size, 1 << 20);
    open();
    registry.asked.length = 0;
    // What was made up is no tar, so that it arrives whole and is not unpacked.
    const { stderr } = await nslabAsync(['pull', name]);
    assert.match(stderr, /IMAGE_LAYER|IMAGE_BROKEN/);
    assert.deepEqual(
      registry.askedFor('blobs').flatMap(({ headers }) => headers.range ?? []),
      [`bytes=${1 << 20}-`],
    );
    assert.equal(existsSync(part), false);
  });
}

test('a layer that unpacks to very much more than it is stops, and nothing of it stays', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const work = mkdtempSync(join(folder, 'bomb-'));
  // The beginning of two gigabytes of nothing: what is announced is enough to stop at.
  const script = 'truncate -s 2G nothing; tar -cf - nothing | head -c 1000000 | gzip > layer.tar.gz';
  execFileSync('sh', ['-ec', script], { cwd: work, stdio: ['ignore', 'ignore', 'ignore'] });
  const layer = readFileSync(join(work, 'layer.tar.gz'));
  await using bomb = await TestRegistry.start();
  const image = makeImage({ layers: [10] });
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: [sha256('x')] },
    }),
  );
  const document = JSON.parse(image.manifest.toString());
  document.config = { ...document.config, digest: sha256(config), size: config.length };
  document.layers = [{ ...document.layers[0], digest: sha256(layer), size: layer.length }];
  bomb.blobs.set(sha256(config), config).set(sha256(layer), layer);
  bomb.addManifest('bomb', '1', { bytes: Buffer.from(JSON.stringify(document)), type: image.mediaType });
  const name = `${bomb.host}/bomb:1`;
  const { status, stderr } = await nslabAsync(['pull', name]);
  assert.equal(status, 7, stderr);
  assert.match(stderr, /IMAGE_LAYER/);
  assert.ok(!nslabOk(['image', 'ls']).includes(name));
});
