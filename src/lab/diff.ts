// `nslab diff`: a file against the kernel, whether nslab made what is there or somebody else. Changes nothing.

import { NslabError } from '../base/error.ts';
import { diffLab } from '../diff/diff.ts';
import type { Difference } from '../diff/difference.ts';
import type { Lab } from '../model/lab.ts';
import type { Op } from '../plan/op.ts';
import { planLab } from '../plan/order.ts';
import { useImages } from './image-use.ts';
import { madeLab, readLive } from './live.ts';
import { keepIds } from './userns.ts';

/** What a reader wants to know of a difference. */
export type ToldDifference = Pick<Difference, 'node' | 'interface' | 'about' | 'state' | 'message'>;

/**
 * Everything in which the kernel is not as the file says, in the order of the file. Namespaces are those of the lab where it is
 * up, else whatever has the names of its nodes.
 */
export async function diffFile(file: Lab): Promise<ToldDifference[]> {
  const made = madeLab(file.name);
  const lab = made === undefined ? file : keepIds(file, made.lab);
  const ops = await withImages(lab, planLab(lab));
  const live = readLive({ lab, ops, made, names: 'any' });
  return diffLab({ lab, ops, opsBefore: made?.ops ?? [], live })
    .filter(({ hidden }) => hidden !== true)
    .map(({ node, interface: ifname, about, state, message }) => ({
      node,
      ...(ifname === undefined ? {} : { interface: ifname }),
      about,
      state,
      message,
    }));
}

/** Which images they are, as far as the store has them: whoever only compares need not have any. */
async function withImages(lab: Lab, ops: readonly Op[]): Promise<readonly Op[]> {
  try {
    using images = await useImages(lab);
    return images.withImages(ops);
  } catch (error) {
    if (error instanceof NslabError) return ops;
    throw error;
  }
}
