// `npm run build`: one ESM bundle (dist/nslab.js) and the static helper (dist/nslab-helper). koffi stays outside of the
// bundle, because it finds its native file beside its own package; of `netlink` only pure JavaScript is used.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
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
  const make = spawnSync(
    'make',
    ['-s', '-C', join(root, 'src/helper'), `OUT=${join(dist, 'nslab-helper')}`],
    {
      stdio: 'inherit',
    },
  );
  if (make.status !== 0)
    fail('the helper (src/helper) did not compile; its C library headers are in the package libc6-dev');
}

mkdirSync(dist, { recursive: true });
buildHelper();
await build({
  entryPoints: { nslab: join(root, 'src/cli/main.ts') },
  outdir: dist,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  external: ['koffi'],
  // CommonJS packages inside an ESM bundle still call require() for node: modules.
  banner: {
    js: "import { createRequire as __nslabRequire } from 'node:module'; const require = __nslabRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
