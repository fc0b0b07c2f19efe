// What can go wrong with one request, before it is known whether another try helps. A Fault never leaves this folder: asError()
// makes the NslabError of it, with the host and the name of the image.

import { NslabError } from '../../base/error.ts';

export type FaultKind =
  | 'unreachable'
  /** The server closed or reset the connection, or ended its answer too early. */
  | 'broken'
  /** Not a byte for too long. */
  | 'stalled'
  | 'certificate'
  /** The other side does not speak TLS. */
  | 'notTls'
  /** Not what HTTP or the registry's protocol allows. */
  | 'answer'
  | 'status'
  | 'digest'
  | 'aborted';

type Details = {
  /** Another try may well succeed. */
  readonly transient?: boolean;
  readonly status?: number;
  /** From Retry-After. */
  readonly waitMs?: number | undefined;
  readonly cause?: unknown;
  readonly hint?: string | undefined;
};

export class Fault extends Error {
  readonly kind: FaultKind;
  readonly transient: boolean;
  readonly status: number | undefined;
  readonly waitMs: number | undefined;
  readonly hint: string | undefined;

  constructor(kind: FaultKind, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.transient = details.transient ?? false;
    this.status = details.status;
    this.waitMs = details.waitMs;
    this.hint = details.hint;
  }
}

/** The end of a connection on which nothing came for so long. */
export function stalled(ms: number): Fault {
  return new Fault('stalled', `not a byte for ${ms / 1000} s`, { transient: true });
}

const certificateCodes =
  /^(CERT_|CRL_|UNABLE_TO_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH|ERROR_IN_CERT)/;

/** What Node says of a connection, in the words used here. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const { name, message } = error as Error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (name === 'AbortError' || code === 'ABORT_ERR') return new Fault('aborted', 'interrupted');
  if (certificateCodes.test(code))
    return new Fault('certificate', `its certificate is not trusted: ${certificateReason(code, message)}`, {
      cause: error,
    });
  if (code === 'EPROTO' || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS'))
    return tlsFault(message, error);
  if (code.startsWith('HPE_'))
    return new Fault('answer', `its answer is not HTTP (${code})`, { cause: error });
  switch (code) {
    case 'ENOTFOUND':
      return new Fault('unreachable', 'the name has no address (ENOTFOUND)', { cause: error });
    case 'EAI_AGAIN':
      return new Fault('unreachable', 'the name cannot be looked up now (EAI_AGAIN)', {
        transient: true,
        cause: error,
      });
    case 'ECONNREFUSED':
      return new Fault('unreachable', 'nobody listens there (ECONNREFUSED)', { cause: error });
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return new Fault('unreachable', `there is no way to it (${code})`, { cause: error });
    case 'ETIMEDOUT':
      return new Fault('stalled', 'the connection did not come about (ETIMEDOUT)', {
        transient: true,
        cause: error,
      });
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return new Fault('broken', 'the connection broke', { transient: true, cause: error });
    default:
      // Not about the connection: a full disk, or a mistake of ours.
      throw error;
  }
}

function certificateReason(code: string, message: string): string {
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `nobody known here has signed it (${code})`;
    case 'CERT_HAS_EXPIRED':
      return 'it has run out (CERT_HAS_EXPIRED)';
    case 'CERT_NOT_YET_VALID':
      return 'it is not valid yet (CERT_NOT_YET_VALID)';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return `it is for another name (${code})`;
    default:
      return `${message} (${code})`;
  }
}

function tlsFault(message: string, cause: unknown): Fault {
  if (/wrong version number|http request|packet length too long|unknown protocol/i.test(message))
    return new Fault('notTls', 'it does not speak TLS', { cause });
  // OpenSSL's own words are the last but two of `...:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:...`.
  const words = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message.split('\n')[0];
  return new Fault('certificate', `TLS failed: ${words}`, { cause });
}

/** `doing` is what the user asked for, `pull localhost:5000/web:1`; `host` is the one that was spoken to. */
export function asError(fault: Fault, { doing, host }: { doing: string; host: string }): NslabError {
  const say = (text: string): string => `${doing}: ${host}: ${text}`;
  const details = { hint: fault.hint ?? hintOf(fault), cause: fault };
  switch (fault.kind) {
    case 'unreachable':
    case 'broken':
      return new NslabError('REGISTRY_UNREACHABLE', say(fault.message), details);
    case 'stalled':
      return new NslabError('REGISTRY_TIMEOUT', say(fault.message), details);
    case 'certificate':
    case 'notTls':
      return new NslabError('REGISTRY_TLS', say(fault.message), details);
    case 'answer':
      return new NslabError('REGISTRY_ANSWER', say(fault.message), details);
    case 'digest':
      return new NslabError('REGISTRY_DIGEST', say(fault.message), details);
    case 'aborted':
      return new NslabError('INTERRUPTED', `${doing}: interrupted`, { hint: fault.hint, cause: fault });
    case 'status':
      return new NslabError(codeOfStatus(fault.status ?? 0), say(fault.message), details);
  }
}

function codeOfStatus(status: number) {
  switch (status) {
    case 401:
      return 'REGISTRY_UNAUTHORIZED';
    case 403:
      return 'REGISTRY_DENIED';
    case 404:
      return 'REGISTRY_NOT_FOUND';
    case 429:
      return 'REGISTRY_RATE_LIMIT';
    default:
      return 'REGISTRY_FAILED';
  }
}

function hintOf({ kind, status }: Fault): string | undefined {
  if (kind === 'certificate') return 'name the certificate of its authority with --ca FILE';
  if (kind === 'notTls') return '--insecure speaks plain HTTP to it';
  if (status === 401) return 'nslab login keeps a name and a password for it';
  return undefined;
}
