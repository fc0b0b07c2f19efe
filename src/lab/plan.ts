// `nslab plan` and `nslab explain`: the ops of `up`, for reading instead of running. Needs no root and changes nothing.

import type { Lab } from '../model/lab.ts';
import { explainDown, explainUp } from '../plan/explain.ts';
import { planLab } from '../plan/order.ts';
import { planDocument, renderPlan } from '../plan/render.ts';
import { withResolvers } from './resolv.ts';

/** The steps as text for people. */
export function planText(lab: Lab): string {
  return renderPlan(lab, withResolvers(planLab(lab)));
}

/** The steps as data. */
export function planJson(lab: Lab): object {
  return planDocument(lab, withResolvers(planLab(lab)));
}

/** A bash script that makes the same lab, or takes it down. */
export function explainText(lab: Lab, direction: 'up' | 'down'): string {
  const ops = withResolvers(planLab(lab));
  return direction === 'up' ? explainUp(lab, ops) : explainDown(lab, ops);
}
