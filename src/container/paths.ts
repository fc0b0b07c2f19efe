// Paths of the machine as a file means them: relative ones start at the file's folder, `~` is the home of who runs nslab.

import { join, resolve } from 'node:path';
import type { BuildHost } from './host.ts';

export function hostPath(path: string, { folder, env }: Pick<BuildHost, 'folder' | 'env'>): string {
  if (path === '~' || path.startsWith('~/')) return join(env['HOME'] ?? '/root', path.slice(1));
  return resolve(folder, path);
}
