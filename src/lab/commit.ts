// `nslab commit`: what a container has changed in its files becomes a layer on top of its image.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { NslabError } from '../base/error.ts';
import { type Digest, digestOfHex, isDigest } from '../image/digest.ts';
import { runHelper } from '../image/helper-run.ts';
import { applyChanges, makeImage } from '../image/make.ts';
import { OCI_LAYER_GZIP } from '../image/media-types.ts';
import { familiarName } from '../image/reference.ts';
import { helperPath } from '../kernel/helper.ts';
import { containerImage } from '../state/paths.ts';
import { type ContainerConfig, readConfig } from './container-config.ts';
import { type Container, stateOf } from './containers.ts';
import { pauseContainer, unpauseContainer } from './control.ts';
import { tagged } from './image-archives.ts';
import { openStore } from './images.ts';

export type CommitOptions = {
  readonly name: string;
  readonly changes: readonly string[];
  readonly message?: string | undefined;
  readonly author?: string | undefined;
  /** The container stands still meanwhile, so that the layer is of one moment. */
  readonly pause: boolean;
  readonly signal?: AbortSignal | undefined;
};

/** Returns the name of the image. @throws NslabError CONTAINER_REFUSED, IMAGE_... */
export async function commitContainer(container: Container, options: CommitOptions): Promise<string> {
  const { changes, message, author, signal } = options;
  const reference = tagged(options.name);
  applyChanges({}, changes);
  const config = readConfig(container);
  const parent = parentOf(container, config);
  const store = openStore();
  using _share = await store.share(signal);
  const hash = createHash('sha256');
  using staged = await standingStill(container, options.pause, async () => {
    const { overlay } = config.nslab;
    const lowers = overlay.lowers.flatMap((lower) => ['--lower', lower]);
    const helper = runHelper(helperPath(), ['_pack', overlay.upper, ...lowers], {
      what: container.node,
      signal,
    });
    helper.stdin.end();
    const tar = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of helper.stdout) {
        hash.update(chunk as Buffer);
        yield chunk as Buffer;
      }
      // Before the last bytes are packed: half a layer must not look whole.
      const failure = await helper.failure;
      if (failure !== undefined) throw failure;
    };
    const gzip = createGzip();
    pipeline(Readable.from(tar()), gzip, () => undefined);
    return await store.stageBlob(gzip);
  });
  await staged.keep();
  const { digest, size } = staged;
  const manifest = await makeImage(store, {
    parent,
    layer: { digest, size, mediaType: OCI_LAYER_GZIP, diffId: digestOfHex(hash.digest('hex')) },
    changes,
    created: new Date().toISOString(),
    author,
    history: {
      created_by: config.process.args.join(' '),
      ...(message === undefined ? {} : { comment: message }),
    },
    signal,
  });
  store.setReference(reference, manifest);
  return familiarName(reference);
}

function parentOf({ lab, node }: Container, { nslab: { overlay } }: ContainerConfig): Digest {
  const refuse = (why: string): NslabError =>
    new NslabError('CONTAINER_REFUSED', `container ${node} ${why}, so there is nothing to put a layer on`, {
      hint: `nslab export ${node} | nslab image import - NAME makes an image of all its files`,
    });
  if (overlay.copied === true) throw refuse('has a copy of the files of its image');
  let text: string;
  try {
    text = readFileSync(containerImage(lab, node), 'utf8');
  } catch {
    throw refuse('runs on no image');
  }
  const { manifest } = JSON.parse(text) as { manifest?: unknown };
  if (typeof manifest === 'string' && isDigest(manifest)) return manifest;
  throw refuse('runs on no image');
}

async function standingStill<T>(container: Container, pause: boolean, work: () => Promise<T>): Promise<T> {
  if (!pause || stateOf(container)?.status !== 'running') return await work();
  await pauseContainer(container);
  try {
    return await work();
  } finally {
    await unpauseContainer(container);
  }
}
