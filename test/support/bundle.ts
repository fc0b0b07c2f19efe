// The test files as plain JavaScript for the virtual machine: under emulation tsx takes half a minute to start, twenty times
// over, and one bundle with shared chunks takes a few seconds. What runs is the same, but for `import.meta`, which esbuild
// leaves alone and which must go on telling the place of the source.

import { readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { root } from './nslab.ts';

const folder = join(root, 'dist/vm');
/** Programs that tests start by themselves (testProgram in programs.ts). */
const programs = ['cgroup-rounds', 'in-private-machine', 'vm-reporter'].map((name) =>
  join(root, 'test/support', `${name}.ts`),
);

const placeOfSource: Plugin = {
  name: 'place of the source',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
    }));
  },
};

function inside(file: string): string {
  return join(folder, relative(join(root, 'test'), file).replace(/\.ts$/, '.mjs'));
}

/** Bundles the files; the answer tells where the bundle of one of them is. */
export async function bundleTests(files: readonly string[]): Promise<(file: string) => string> {
  rmSync(folder, { recursive: true, force: true });
  await build({
    entryPoints: [...files, ...programs],
    outdir: folder,
    outbase: join(root, 'test'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // It finds its native file beside its own package.
    external: ['koffi'],
    // What CommonJS packages require of Node.
    banner: {
      js: "import{createRequire as bundleRequire}from'node:module';const require=bundleRequire(import.meta.url);",
    },
    plugins: [placeOfSource],
    logLevel: 'warning',
  });
  return inside;
}
