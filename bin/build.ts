// `npm run build`: the static helper (dist/nslab-helper, which bin/nslab is a link to), the bundle (dist/nslab.js) and a startup
// snapshot of it. Of koffi only its native file is used, which lies beside the bundle; of `netlink` only pure JavaScript.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

function fail(message: string): never {
  process.stderr.write(`build: ${message}\n`);
  process.exit(1);
}

function buildHelper(): void {
  if (!onPath('cc')) fail('no C compiler (cc). Debian and Ubuntu: apt-get install gcc libc6-dev');
  if (!onPath('make')) fail('no make. Debian and Ubuntu: apt-get install make');
  const arguments_ = ['-s', '-C', join(root, 'src/helper'), `OUT=${join(dist, 'nslab-helper')}`];
  const make = spawnSync('make', arguments_, { stdio: 'inherit' });
  if (make.status !== 0) {
    fail('the helper (src/helper) did not compile; its C library headers are in the package libc6-dev');
  }
}

/** A script and not a module: only a script can be in a startup snapshot. */
async function bundle(): Promise<void> {
  await build({
    entryPoints: [join(root, 'src/cli/main.ts')],
    outfile: join(dist, 'nslab.js'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minify: true,
    sourcemap: 'linked',
    // yargs wants two functions of it, and node:assert opens the terminal to find its colours: 10 ms.
    alias: { assert: join(root, 'bin/assert.ts') },
    inject: [join(root, 'bin/lazy-segmenter.ts')],
    define: {
      'Intl.Segmenter': 'LazySegmenter',
      'import.meta.dirname': '__bundle.dirname',
      'import.meta.url': '__bundle.url',
    },
    // Asked when they are needed: a snapshot is made under one path and may run under another.
    banner: {
      js: 'const __bundle={require,get dirname(){return this.require("node:path").dirname(process.argv[1])},get url(){return this.require("node:url").pathToFileURL(process.argv[1]).href}};',
    },
    logLevel: 'warning',
  });
  // The package says that .js is a module; here it is a script.
  writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
}

/** koffi's native file, the one that koffi chooses on this machine, beside the bundle (see src/sys/libc.ts). */
function copyKoffi(): void {
  const require = createRequire(import.meta.url);
  require('koffi');
  const native = Object.keys(require.cache).find((file) => file.endsWith('.node'));
  if (native === undefined) fail('koffi loaded no native file');
  copyFileSync(native, join(dist, 'koffi.node'));
}

/** A command lives for a second and keeps nearly all it makes: with V8's 1 MiB of young space a tenth of it is collecting garbage. */
const v8Options = ['--min-semi-space-size=16'];

/**
 * dist/nslab.blob, from which Node starts with everything loaded and compiled, and beside it what the launcher compares
 * (src/helper/launch.c). A Node that cannot make one still runs dist/nslab.js.
 */
function snapshot(): void {
  const blob = join(dist, 'nslab.blob');
  rmSync(`${blob}.for`, { force: true });
  const examples = ['docker0', 'policy-routing', 'nat'].map((name) => join(root, `topologies/${name}.yaml`));
  const script = join(dist, 'nslab.js');
  // Options would become part of what the snapshot fits; the launcher uses none where there are some.
  const options = { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
  const node = (...words: string[]) =>
    spawnSync(process.execPath, [...v8Options, '--snapshot-blob', blob, ...words], options);
  const made = node('--build-snapshot', script, ...examples);
  const runs = node(script, '--version');
  const key = spawnSync(join(dist, 'nslab-helper'), ['_snapshot-key', process.execPath], options);
  if (made.status === 0 && key.status === 0 && runs.status === 0) {
    writeFileSync(`${blob}.for`, `${[key.stdout.trimEnd(), ...v8Options].join('\n')}\n`);
    return;
  }
  process.stderr.write(`build: no startup snapshot, commands start slower:\n${made.stderr}${runs.stderr}\n`);
}

mkdirSync(dist, { recursive: true });
buildHelper();
await bundle();
copyKoffi();
snapshot();
