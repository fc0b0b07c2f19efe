// One line for one step, in the words of iproute2, for `-v`.

import { describeOp, describeUndo } from '../../plan/describe.ts';
import type { Step, UndoOp } from '../../plan/op.ts';
import { visible } from './visible.ts';

export function opLine(op: Step): string {
  return visible(describeOp(op));
}

export function undoLine(op: UndoOp): string {
  return visible(describeUndo(op));
}
