// The steps of `up`: those of the lab, and what only this machine can tell of them.

import type { Lab } from '../model/lab.ts';
import type { Op } from '../plan/op.ts';
import { planLab } from '../plan/order.ts';
import { withUplinks } from './machine.ts';
import { withResolvers } from './resolv.ts';

/** The same list for `up`, `plan` and `explain`. */
export function opsOf(lab: Lab): Op[] {
  return withResolvers(withUplinks(planLab(lab), lab));
}
