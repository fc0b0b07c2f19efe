// The one error class of nslab. A NslabError is an expected failure: it has a code from the closed catalogue, is printed
// short and decides the exit status. Anything else that is thrown is a bug of ours and is printed with its stack.

import { type ErrorCode, errorCatalogue } from './error-catalogue.ts';

/** A place in a topology file. Lines and columns count from 1; `endCol` is one past the last character. */
export type Where = {
  readonly file: string;
  readonly line: number;
  readonly col: number;
  readonly endCol: number;
  /** The key path, as `nodes.pc1.interfaces.eth0.addresses[0]`. */
  readonly path: string;
  /** The line itself, so that a printer needs no second look at the file (which may have been stdin). */
  readonly text?: string;
};

/** One mistake found in a topology file, or one conflict of a lab with the host. */
export type Problem = {
  readonly code: ErrorCode;
  /** What is wrong, one line, with no full stop at its end. */
  readonly message: string;
  /** How to mend it. */
  readonly hint?: string;
  /** `error` when absent. A warning is printed and stops nothing. */
  readonly severity?: 'error' | 'warning';
  readonly where?: Where;
  /** A second place that belongs to the mistake, as the first use of a duplicate. */
  readonly related?: { readonly message: string; readonly where: Where };
};

type Details = {
  readonly hint?: string | undefined;
  readonly where?: Where | undefined;
  readonly cause?: unknown;
  /** All problems of a file, when the error stands for several. */
  readonly problems?: readonly Problem[] | undefined;
};

export class NslabError extends Error {
  override readonly name = 'NslabError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly where: Where | undefined;
  readonly problems: readonly Problem[];

  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.where = details.where;
    this.problems = details.problems ?? [];
  }

  get exitCode(): number {
    return errorCatalogue[this.code].exit;
  }
}
