// The container keys of a node, validated and otherwise as the file has them (Docker Compose's words). The runner reads them.

import type { NodeName } from '../base/names.ts';

export type ContainerSpec = {
  readonly image?: string;
  /** A folder, or `host` for an overlay over the machine's own files. */
  readonly rootfs?: string;
  /** Every other container key of SCHEMA, as it stands in the file after validation. */
  readonly options: Readonly<Record<string, unknown>>;
};

/** Whose network namespace a container is in: its own, the machine's, or that of another node. */
export type ContainerNetwork = 'own' | 'host' | { readonly node: NodeName };

type MaybeContainer = { readonly container?: ContainerSpec };

/** `network_mode` of a node. `none` and `bridge` are a namespace of its own, with or without wires. */
export function networkOf({ container }: MaybeContainer): ContainerNetwork {
  const mode = container?.options['network_mode'];
  if (mode === 'host') return 'host';
  const name = typeof mode === 'string' ? /^container:(.+)$/.exec(mode)?.[1] : undefined;
  return name === undefined ? 'own' : { node: name as NodeName };
}

/** True unless the node shares another's network namespace. */
export function ownsNetns(node: MaybeContainer): boolean {
  return networkOf(node) === 'own';
}

/** What has to be true of a container before another starts. */
export type Condition = 'started' | 'healthy' | 'completed';

export type Dependency = { readonly node: NodeName; readonly condition: Condition };

/** `depends_on` in either of Compose's forms. */
export function dependenciesOf({ container }: MaybeContainer): Dependency[] {
  const file = container?.options['depends_on'];
  if (Array.isArray(file)) return file.map((name) => ({ node: name as NodeName, condition: 'started' }));
  if (typeof file !== 'object' || file === null) return [];
  return Object.entries(file as Record<string, { readonly condition?: string } | null>).map(
    ([name, entry]) => ({ node: name as NodeName, condition: conditionOf(entry?.condition) }),
  );
}

function conditionOf(word: string | undefined): Condition {
  if (word === 'service_healthy') return 'healthy';
  return word === 'service_completed_successfully' ? 'completed' : 'started';
}
