// Errors of the registry page of the catalogue: talking to a registry (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const registryErrors = {
  REGISTRY_UNREACHABLE: {
    exit: exit.undone,
    explanation:
      'No connection to the registry came about, or it broke and went on breaking. The message names the host and what the machine says: a name that does not resolve, a port where nobody listens, a connection that is reset. Where HTTPS_PROXY or HTTP_PROXY is set the connection is to that proxy, unless NO_PROXY has the host, and a refusal of the proxy is named as its own. What was downloaded until then is kept, and the next `pull` goes on from there.',
  },
  REGISTRY_TIMEOUT: {
    exit: exit.undone,
    explanation:
      'The registry accepted the connection and then sent nothing for too long, several times in a row; --timeout sets how many seconds that is. What was downloaded until then is kept, and the next `pull` goes on from there.',
  },
  REGISTRY_TLS: {
    exit: exit.undone,
    explanation:
      "The registry's certificate cannot be trusted: it is signed by nobody that this machine knows, has run out, or is for another name. For a registry with a certificate authority of its own, name the authority's certificate with --ca FILE, or put it where Docker and podman look as well: /etc/docker/certs.d/HOST:PORT/ca.crt or /etc/containers/certs.d/HOST:PORT/ca.crt. A registry that speaks plain HTTP is only spoken to on this machine, or with --insecure, which also takes any certificate.",
  },
  REGISTRY_UNAUTHORIZED: {
    exit: exit.undone,
    explanation:
      'The registry wants to know who asks, and either nobody said so or it does not know that name and password. `nslab login HOST` keeps them in ~/.docker/config.json; what `docker login`, `podman login` and credential helpers keep is used too, and $REGISTRY_AUTH_FILE names another file. Many registries say the same of a repository that does not exist.',
  },
  REGISTRY_DENIED: {
    exit: exit.undone,
    explanation:
      'The registry knows who asks and does not allow it: to push to that repository, or to see it. The message has the words of the registry.',
  },
  REGISTRY_NOT_FOUND: {
    exit: exit.undone,
    explanation:
      'The registry has no such image: the repository, the tag or the digest is not there. A name without a host is looked for on docker.io, where a name without a slash means library/NAME, and without a tag the tag is `latest`.',
  },
  REGISTRY_RATE_LIMIT: {
    exit: exit.undone,
    explanation:
      'The registry has had enough requests of this address for now (status 429) and wants a longer wait than makes sense here. Public registries allow more to those who log in: `nslab login`. A mirror (--mirror, or /etc/nslab/registries.yaml) helps as well.',
  },
  REGISTRY_FAILED: {
    exit: exit.undone,
    explanation:
      'The registry answered with a failure of its own, several times in a row, or refused what was pushed. The message has the status and the words of the registry.',
  },
  REGISTRY_ANSWER: {
    exit: exit.undone,
    explanation:
      'The answer is not one that a registry may give: no HTTP, a document that never ends or is no JSON, a redirect in a circle or from HTTPS to plain HTTP, a token with characters that no token has. Often something else listens there, as a login page of the network or a proxy.',
  },
  REGISTRY_DIGEST: {
    exit: exit.undone,
    explanation:
      'What the registry sent is not what was asked for: its sha256 or its size is another one. It was thrown away. Pull again; if it stays so, the image is damaged there or somebody on the way changes it.',
  },
  REGISTRY_CREDENTIALS: {
    exit: exit.host,
    explanation:
      'A file with registry passwords ($REGISTRY_AUTH_FILE, /run/containers/0/auth.json, ~/.config/containers/auth.json, ~/.docker/config.json) cannot be read, or the credential helper it names (the program docker-credential-NAME) is missing or failed. The message says which; what they contain is never printed.',
  },
  REGISTRY_CONFIG: {
    exit: exit.host,
    explanation:
      'A file that says how to speak to a registry is wrong or cannot be read: /etc/nslab/registries.yaml, a certificate under /etc/docker/certs.d or /etc/containers/certs.d, the FILE of --ca, or that of NODE_EXTRA_CA_CERTS. registries.yaml maps a host to `mirrors` (a list of hosts, each with an optional path), `insecure` (true or false) and `ca` (a file).',
  },
} as const satisfies Record<string, CatalogueEntry>;
