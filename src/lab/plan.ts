// `nslab plan` and `nslab explain`: the ops of `up`, for reading instead of running. Needs no root and changes nothing.

import type { Lab } from '../model/lab.ts';
import { explainDown, explainUp } from '../plan/explain.ts';
import { planDocument, renderPlan } from '../plan/render.ts';
import { opsOf } from './ops.ts';

/** The steps as text for people. */
export function planText(lab: Lab): string {
  return renderPlan(lab, opsOf(lab));
}

/** The steps as data. */
export function planJson(lab: Lab): object {
  return planDocument(lab, opsOf(lab));
}

/** A bash script that makes the same lab, or takes it down. */
export function explainText(lab: Lab, direction: 'up' | 'down'): string {
  const ops = opsOf(lab);
  return direction === 'up' ? explainUp(lab, ops) : explainDown(lab, ops);
}
