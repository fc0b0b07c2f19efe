// What the kernel answers to a refused request: the errno and, thanks to NETLINK_EXT_ACK, its own words. The words are not
// made nicer here; that is done at the edge. Documentation/userspace-api/netlink/intro.rst, "Ack"; linux/netlink.h.

import { errnoName } from '../sys/errno.ts';
import { eachAttribute, readString, readU32 } from './message.ts';

/** One refused request. */
export type RtnlFailure = {
  readonly errno: number;
  /** The errno's name, `EEXIST`. */
  readonly code: string;
  /** The kernel's words (NLMSGERR_ATTR_MSG), or ''. */
  readonly message: string;
  /** Where in the request the refused attribute begins (NLMSGERR_ATTR_OFFS). */
  readonly offset?: number;
  /** The type of an attribute that is missing (NLMSGERR_ATTR_MISS_TYPE). */
  readonly missing?: number;
};

/** A refused request as an exception. */
export class RtnlError extends Error {
  override readonly name = 'RtnlError';
  readonly failure: RtnlFailure;
  readonly errno: number;
  readonly code: string;

  constructor(failure: RtnlFailure) {
    super(failure.message === '' ? failure.code : `${failure.code}: ${failure.message}`);
    this.failure = failure;
    this.errno = failure.errno;
    this.code = failure.code;
  }
}

// linux/netlink.h, NLMSGERR_ATTR_*
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
const NLMSGERR_ATTR_MISS_TYPE = 5;

export function failureOf(errno: number, message = ''): RtnlFailure {
  return { errno, code: errnoName(errno), message };
}

/** A failure with what the attributes of the extended acknowledgement say, which begin at the offset. */
export function parseFailure(errno: number, payload: Buffer, tlvs: number | undefined): RtnlFailure {
  if (tlvs === undefined) return failureOf(errno);
  let message = '';
  let offset: number | undefined;
  let missing: number | undefined;
  eachAttribute(payload, tlvs, (type, value) => {
    if (type === NLMSGERR_ATTR_MSG) message = readString(value) ?? '';
    else if (type === NLMSGERR_ATTR_OFFS) offset = readU32(value);
    else if (type === NLMSGERR_ATTR_MISS_TYPE) missing = readU32(value);
  });
  return {
    errno,
    code: errnoName(errno),
    message,
    ...(offset === undefined ? {} : { offset }),
    ...(missing === undefined ? {} : { missing }),
  };
}
