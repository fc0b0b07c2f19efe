// `npm run build`: the static helper (dist/nslab-helper), the bundle with V8's code cache beside it, and dist/nslab.js that
// starts it. koffi stays outside of the bundle, because it finds its native file beside its own package; of `netlink` only pure
// JavaScript is used, which is bundled.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
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

/** A script and not a module: V8 can cache the code of scripts only, and compiling the bundle takes longer than a small `up`. */
async function bundle(): Promise<void> {
  await build({
    entryPoints: [join(root, 'src/cli/main.ts')],
    outfile: join(dist, 'bundle.js'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minify: true,
    sourcemap: 'linked',
    external: ['koffi'],
    // yargs wants two functions of it, and node:assert opens the terminal to find its colours: 10 ms.
    alias: { assert: join(root, 'bin/assert.ts') },
    define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__moduleUrl' },
    banner: { js: 'const __moduleUrl=require("node:url").pathToFileURL(__filename).href;' },
    logLevel: 'warning',
  });
  copyFileSync(join(root, 'bin/start.cjs'), join(dist, 'nslab.js'));
  // The package says that .js is a module; here it is a script.
  writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
}

/** Runs a command that needs most of what `up` needs, and keeps the code V8 compiled for it. */
function writeCodeCache(): void {
  rmSync(join(dist, 'bundle.cache'), { force: true });
  const warm = spawnSync(
    process.execPath,
    [join(dist, 'nslab.js'), 'plan', join(root, 'topologies/two-namespaces.yaml')],
    {
      env: { ...process.env, NSLAB_WRITE_CODE_CACHE: '1' },
      encoding: 'utf8',
    },
  );
  if (warm.status !== 0) fail(`the bundle does not run:\n${warm.stderr}`);
}

mkdirSync(dist, { recursive: true });
buildHelper();
await bundle();
writeCodeCache();
