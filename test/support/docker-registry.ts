// Debian's docker-registry on loopback for end-to-end tests, with what it asks of its users; and images for it, made by tar and
// skopeo without nslab.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { patience } from './emulated.ts';

/** As htpasswd(1) -B writes `me` and `hunter22`; there is no bcrypt in Node. */
const HTPASSWD = 'me:$2y$04$abcdefghijklmnopqrstuunBMgByaIAZYuFgMUjBx8aaeU/9We5xa\n';
export const account = { username: 'me', password: 'hunter22' } as const;

export type DockerRegistry = AsyncDisposable & {
  /** With its port. */
  readonly host: string;
  readonly folder: string;
  /** What it has written until now. */
  log(): string;
};

export type RegistryConfig = {
  readonly htpasswd?: boolean;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** `auth.token` of its configuration. */
  readonly token?: Readonly<Record<string, string>>;
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function untilListening(port: number, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + patience(30_000);
  for (;;) {
    assert.equal(server.exitCode, null, 'docker-registry has ended');
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    assert.ok(Date.now() < deadline, 'docker-registry does not listen');
    await pause(50);
  }
}

export async function startRegistry(config: RegistryConfig = {}): Promise<DockerRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-registry-'));
  const port = await freePort();
  writeFileSync(join(folder, 'htpasswd'), HTPASSWD);
  const { htpasswd, tls, token } = config;
  const auth = {
    ...(htpasswd === true ? { htpasswd: { realm: 'a registry', path: join(folder, 'htpasswd') } } : {}),
    ...(token === undefined ? {} : { token }),
  };
  // YAML of which this is the JSON.
  const text = JSON.stringify({
    version: '0.1',
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: 'of a test',
      ...(tls === undefined ? {} : { tls: { certificate: tls.certFile, key: tls.keyFile } }),
    },
    ...(Object.keys(auth).length === 0 ? {} : { auth }),
  });
  writeFileSync(join(folder, 'config.yml'), text);
  const log = openSync(join(folder, 'log'), 'a');
  const server = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => server.on('close', () => resolve()));
  await untilListening(port, server);
  return {
    host: `127.0.0.1:${port}`,
    folder,
    log: () => readFileSync(join(folder, 'log'), 'utf8'),
    async [Symbol.asyncDispose]() {
      server.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type Skopeo = (...words: readonly string[]) => string;

/** skopeo that trusts what a test trusts. */
export const skopeo: Skopeo = (...words) =>
  execFileSync('skopeo', ['--insecure-policy', ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** The digest of what a registry has under a name. */
export function remoteDigest(name: string, ...options: readonly string[]): string {
  const raw = execFileSync('skopeo', [
    'inspect',
    '--raw',
    '--tls-verify=false',
    ...options,
    `docker://${name}`,
  ]);
  return `sha256:${createHash('sha256').update(raw).digest('hex')}`;
}

export type ArchiveShape = {
  /** Each layer: files by their path, with their content. */
  readonly layers: readonly Readonly<Record<string, Buffer | string>>[];
  readonly architecture?: string;
};

/** An archive as `docker save` writes it. */
export function makeArchive(folder: string, { layers, architecture = 'amd64' }: ArchiveShape): string {
  const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  const work = mkdtempSync(join(folder, 'archive-'));
  const names = layers.map((files, i) => {
    const root = join(work, `root${i}`);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), content, { mode: 0o755 });
    }
    execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', join(work, `layer${i}.tar`), '.']);
    return `layer${i}.tar`;
  });
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: { Env: ['PATH=/bin'], Cmd: ['/bin/sh'] },
      rootfs: {
        type: 'layers',
        diff_ids: names.map((name) => `sha256:${sha(readFileSync(join(work, name)))}`),
      },
      history: names.map((name) => ({ created_by: `tar ${name}` })),
    }),
  );
  const configName = `${sha(config)}.json`;
  writeFileSync(join(work, configName), config);
  writeFileSync(
    join(work, 'manifest.json'),
    JSON.stringify([{ Config: configName, RepoTags: ['a:1'], Layers: names }]),
  );
  const archive = join(work, 'archive.tar');
  execFileSync('tar', ['-C', work, '-cf', archive, 'manifest.json', configName, ...names]);
  return archive;
}

/** Content that packing makes no smaller. */
export function noise(bytes: number): Buffer {
  return randomBytes(bytes);
}
