// What `up` and `down` tell while they work. The CLI draws them, `--json` prints them one a line.

import type { OpFailure } from '../kernel/port.ts';
import type { Step, UndoOp } from '../plan/op.ts';

export type ApplyEvent =
  | { readonly type: 'started'; readonly total: number }
  /** Ops from `from` to `to` (exclusive) are in the kernel. */
  | {
      readonly type: 'done';
      readonly from: number;
      readonly to: number;
      readonly ops: readonly Step[];
      readonly notes?: readonly string[];
    }
  | { readonly type: 'failed'; readonly index: number; readonly op: Step; readonly failure: OpFailure }
  /** A step that has to wait for something, and for what; told again when that changes. */
  | { readonly type: 'waiting'; readonly index: number; readonly op: Step; readonly message: string }
  | { readonly type: 'interrupted'; readonly index: number };

export type UndoEvent =
  | { readonly type: 'undone'; readonly op: UndoOp; readonly notes: readonly string[] }
  | { readonly type: 'left'; readonly op: UndoOp; readonly failure: OpFailure };
