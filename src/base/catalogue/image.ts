// Errors of the image page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const imageErrors = {
  IMAGE_REFERENCE: {
    exit: exit.usage,
    explanation:
      'The name of an image is HOST[:PORT]/PATH[:TAG][@DIGEST]: `nginx`, `localhost:5000/team/web:1.2`, `nginx@sha256:...`. Without a host it is one of docker.io, without a tag `latest`.',
  },
  IMAGE_UNKNOWN: {
    exit: exit.lab,
    explanation: 'The store has no image of that name or id. `nslab image ls` lists those it has.',
  },
  IMAGE_AMBIGUOUS: {
    exit: exit.lab,
    explanation: 'Several images have an id that begins so. Write more of it, or the name.',
  },
  IMAGE_BROKEN: {
    exit: exit.lab,
    explanation:
      'What came is not what was announced: a digest, a size or the form of a document is wrong. Content is checked while it is read and is kept only when it is right, so the store is as it was. Get the archive again, or the image from its registry.',
  },
  IMAGE_FORMAT: {
    exit: exit.lab,
    explanation:
      'The file or folder is none of what nslab reads: an OCI image layout (a folder or a tar of it), an archive of `docker save` or `podman save`, or, with `import`, a tar of files. Each may be packed with gzip or zstd.',
  },
  IMAGE_PLATFORM: {
    exit: exit.lab,
    explanation:
      'The image comes for several kinds of processors, and none of them is the one of this machine or the one asked for with --platform. The message lists what there is.',
  },
  IMAGE_STORE: {
    exit: exit.host,
    explanation:
      'The store under /var/lib/nslab/images could not be written. The disk is full or read-only. What was half written has been taken away again, or is by `nslab image prune`.',
  },
  IMAGE_LAYER: {
    exit: exit.lab,
    explanation:
      'A layer of the image could not be unpacked: it is no tar, it reaches out of its folder, or it is bigger than the limits allow. Nothing outside of the store was touched.',
  },
  IMAGE_NO_BUSYBOX: {
    exit: exit.host,
    explanation:
      "`image build-base` makes an image of the machine's own busybox, which must be a static one, because an image of one program has no libraries. Debian and Ubuntu have it in the package busybox-static.",
  },
  IMAGE_IN_USE: {
    exit: exit.lab,
    explanation:
      'A container runs on the image, or another nslab process is working on the store at this moment. `nslab ps` lists the containers.',
  },
} as const satisfies Record<string, CatalogueEntry>;
