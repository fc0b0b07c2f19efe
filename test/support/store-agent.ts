// Loads an archive into a store of its own, as a process that tests can kill: `store-agent.ts ROOT ARCHIVE`.

import { createReadStream } from 'node:fs';
import { TarArchive } from '../../src/image/archive.ts';
import { loadArchive } from '../../src/image/load.ts';
import { fullName } from '../../src/image/reference.ts';
import { ImageStore } from '../../src/image/store.ts';
import { helperPath } from '../../src/kernel/helper.ts';

const [root = '', file = ''] = process.argv.slice(2);
try {
  const store = new ImageStore({ root, helper: helperPath() });
  using _share = await store.share();
  using archive = await TarArchive.read(store, createReadStream(file), { what: file });
  const loaded = await loadArchive(store, archive, {});
  process.stdout.write(`${loaded.flatMap(({ names }) => names.map(fullName)).join('\n')}\n`);
} catch (error) {
  const { code = '', message } = error as { code?: string; message: string };
  process.stdout.write(`${code} ${message}\n`);
  process.exitCode = 1;
}
