// RUN/config.json, the runtime configuration that a container was made from (container/runtime-spec.ts): what of it commands show.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NslabError } from '../base/error.ts';
import type { Overlay } from '../kernel/container-root.ts';
import type { Container } from './containers.ts';

export type ContainerConfig = {
  readonly process: {
    readonly terminal?: boolean;
    readonly cwd: string;
    readonly env: readonly string[];
    readonly args: readonly string[];
    readonly capabilities: { readonly bounding?: readonly string[] };
    readonly noNewPrivileges: boolean;
  };
  readonly root: { readonly path: string; readonly readonly?: boolean };
  readonly hostname?: string;
  readonly mounts: readonly {
    readonly destination: string;
    readonly type: string;
    readonly source: string;
    readonly options: readonly string[];
  }[];
  readonly linux: {
    readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
    readonly sysctl?: Readonly<Record<string, string>>;
  };
  readonly nslab: {
    readonly overlay: Overlay;
    readonly user?: string;
    readonly seccomp: { readonly profile: string; readonly path?: string };
    readonly init: boolean;
    readonly stdinOpen: boolean;
    readonly restart: { readonly policy: string; readonly max: number };
    readonly stop: { readonly signal: number; readonly graceMs: number };
    readonly health?: { readonly argv: readonly string[]; readonly intervalMs: number };
    readonly remover?: { readonly argv: readonly string[] };
    readonly log: { readonly path: string };
  };
};

/** Undefined where the container was never made. */
export function findConfig({ folder }: Container): ContainerConfig | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as ContainerConfig;
  } catch {
    return undefined;
  }
}

/** @throws NslabError CONTAINER_REFUSED where the container was never made */
export function readConfig(container: Container): ContainerConfig {
  const config = findConfig(container);
  if (config !== undefined) return config;
  throw new NslabError(
    'CONTAINER_REFUSED',
    `container ${container.node} was never started, so it has no files of its own`,
  );
}

/** `--rm`: it is removed when it has ended. */
export function isRemovedAtEnd(container: Container): boolean {
  return findConfig(container)?.nslab.remover !== undefined;
}
