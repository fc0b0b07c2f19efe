// The closed catalogue of error codes. Each room that fails has its own page of it under catalogue/; `nslab explain CODE`
// prints an entry, and a test checks that every code is used in src/ and that every page is in this list.

import { applyErrors } from './catalogue/apply.ts';
import { archiveErrors } from './catalogue/archive.ts';
import { cliErrors } from './catalogue/cli.ts';
import { containerErrors } from './catalogue/container.ts';
import { hostErrors } from './catalogue/host.ts';
import { imageErrors } from './catalogue/image.ts';
import { labErrors } from './catalogue/lab.ts';
import { registryErrors } from './catalogue/registry.ts';
import { topologyErrors } from './catalogue/topology.ts';

export const errorCatalogue = {
  ...topologyErrors,
  ...hostErrors,
  ...containerErrors,
  ...imageErrors,
  ...registryErrors,
  ...archiveErrors,
  ...applyErrors,
  ...labErrors,
  ...cliErrors,
};

export type ErrorCode = keyof typeof errorCatalogue;
