// What `up` and a change of a lab that is up have in common: what is asked, what is told, and how a refusal is worded.

import type { ApplyEvent, UndoEvent } from '../apply/event.ts';
import type { Fault } from '../apply/fault.ts';
import { NslabError, type Problem, type Where } from '../base/error.ts';
import { type ErrorCode, errorCatalogue } from '../base/error-catalogue.ts';
import type { Kernel } from '../kernel/port.ts';
import type { Lab } from '../model/lab.ts';
import type { HostProblem } from '../plan/check-host.ts';

export type UpEvent = ApplyEvent | UndoEvent | { readonly type: 'undoing' };

export type UpRequest = {
  readonly lab: Lab;
  /** As it is written into the record: an absolute path, or `-`. */
  readonly file: string;
  readonly kernel: Kernel;
  /** Where a key path stands in the file, for conflicts with the host. */
  readonly locate?: (path: string) => Where;
  readonly onEvent: (event: UpEvent) => void;
  readonly signal?: AbortSignal;
  readonly fault?: Fault | undefined;
  /** The lab anew, for when a subnet that was free when the file was read has become another lab's. */
  readonly again?: (() => Lab) | undefined;
  /** Containers are made and wait: somebody starts their commands when the lab is up. */
  readonly hold?: boolean | undefined;
  /** A lab that is up becomes what this one is; without it another one is refused. */
  readonly change?: true;
  /** A lab of one container, and whether it is removed when that has ended. */
  readonly solo?: { readonly remove: boolean };
};

export type UpResult = {
  readonly outcome: 'made' | 'unchanged' | 'changed';
  readonly nodes: number;
  readonly links: number;
  /** Steps carried out. */
  readonly ops: number;
  /** What of a lab that was changed is still not as the file says, because something else keeps it so. */
  readonly still?: readonly string[];
};

/** @throws NslabError with all of them */
export function assertNoProblems(found: readonly HostProblem[], locate: UpRequest['locate']): void {
  const problems = found.map(({ path, ...problem }): Problem => {
    return locate === undefined ? problem : { ...problem, where: locate(path) };
  });
  const [first] = problems;
  if (first === undefined) return;
  throw new NslabError(first.code, first.message, { hint: first.hint, where: first.where, problems });
}

/** The code of a step that failed. */
export function failureCode({ op, failure }: Extract<ApplyEvent, { type: 'failed' }>): ErrorCode {
  if (op.kind === 'runCommand') return 'COMMAND_FAILED';
  // A container's own troubles have codes of their own.
  if (Object.hasOwn(errorCatalogue, failure.code)) return failure.code as ErrorCode;
  return failure.lacks === undefined ? 'APPLY_FAILED' : 'HOST_KERNEL_LACKS';
}
