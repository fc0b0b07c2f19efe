// Requests to the kernel and their answers over one netlink socket, all synchronous: the kernel handles a request inside
// send(2), so its answers wait when send returns and no event loop is needed (netlink_unicast_kernel, net/netlink/af_netlink.c).
// It must not know what a message means. Answers are matched by sequence number; anything else that arrives is passed over.

import { SyscallError } from '../sys/libc.ts';
import { failureOf, parseFailure, RtnlError, type RtnlFailure } from './error.ts';
import {
  MessageWriter,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_HDRLEN,
  type Request,
} from './message.ts';
import { KernelSocket, type NetlinkSocket } from './socket.ts';

// linux/netlink.h
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;

const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSG_OVERRUN = 4;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

// asm-generic/errno.h
const EINTR = 4;
const ENOBUFS = 105;

/** A dump is asked for again when the kernel says that it changed meanwhile: so often, and then it is an error. */
const DUMP_ATTEMPTS = 5;
/** So many requests ride in one datagram: the errors of all of them fit into the receive room even of an unprivileged socket. */
const BATCH_MESSAGES = 256;
const BATCH_BYTES = 128 << 10;

type BatchOptions = {
  /**
   * Stop after the first refusal; the answer then ends with it, and what follows was not sent. The kernel goes through a whole
   * datagram whatever happens in it, so this costs one datagram per request.
   */
  readonly stopOnError?: boolean;
  /** All in one datagram, as a transaction of nf_tables must be, with NLM_F_ACK only where the request has it. */
  readonly oneDatagram?: boolean;
};

/** A message that came in. The payload is a view of memory that is not used again. */
type Message = {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly payload: Buffer;
};

type DumpRound = { readonly payloads: Buffer[]; readonly complete: boolean };

/**
 * What is written and received, for all sockets together: a call is synchronous and done with both when it returns, and a lab
 * of a thousand namespaces opens a thousand sockets, one after another.
 */
const writer = new MessageWriter();
let buffer = Buffer.allocUnsafeSlow(64 << 10);

/** Requests and answers over one netlink socket of one protocol in one network namespace. */
export class Transport implements Disposable {
  readonly #socket: NetlinkSocket;
  #seq = 0;

  /** Takes any socket, so that tests can play the kernel; others call {@link open}. */
  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Opens a socket of the protocol in the network namespace where the calling thread is at this moment. */
  static open(protocol: number): Transport {
    return new Transport(new KernelSocket(protocol));
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Sends all requests, in order. The answer has one entry for each: what the kernel said when it refused, else undefined.
   * The kernel goes on after a refusal unless `stopOnError` is set.
   */
  batch(requests: readonly Request[], options: BatchOptions = {}): (RtnlFailure | undefined)[] {
    const results: (RtnlFailure | undefined)[] = [];
    while (results.length < requests.length) {
      const refused = this.#sendSome(requests, results, options);
      if (refused && options.stopOnError === true) {
        results.length = results.findIndex((failure) => failure !== undefined) + 1;
        break;
      }
    }
    return results;
  }

  /** Sends one request and throws {@link RtnlError} when it is refused. */
  request(request: Request): void {
    const [failure] = this.batch([request]);
    if (failure !== undefined) throw new RtnlError(failure);
  }

  /** Sends one request and returns the payload of the one message that answers it (RTM_GET*, or NLM_F_ECHO). */
  get(request: Request): Buffer {
    const seq = this.#nextSeq();
    writer.reset();
    writer.message(request, (request.flags ?? 0) | NLM_F_REQUEST | NLM_F_ACK, seq);
    this.#send();
    let answer: Buffer | undefined;
    let acknowledged = false;
    let failure: RtnlFailure | undefined;
    this.#drain((message) => {
      if (message.seq !== seq) return;
      if (message.type === NLMSG_ERROR) {
        acknowledged = true;
        failure = parseError(message);
      } else if (message.type > NLMSG_OVERRUN) {
        answer ??= message.payload;
      }
    });
    if (failure !== undefined) throw new RtnlError(failure);
    if (answer === undefined) throw noAnswer(acknowledged ? 'nothing but an acknowledgement' : 'nothing');
    return answer;
  }

  /** Sends a dump request and returns the payloads of the answer. Asks again, up to five times, when it changed meanwhile. */
  dump(request: Request): Buffer[] {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      const { payloads, complete } = this.#dumpOnce(request);
      if (complete) return payloads;
    }
    throw new RtnlError(
      failureOf(EINTR, `the answer changed while it was read, ${DUMP_ATTEMPTS} times (NLM_F_DUMP_INTR)`),
    );
  }

  #nextSeq(): number {
    // 0 is what the kernel puts into notifications.
    this.#seq = (this.#seq + 1) >>> 0 || 1;
    return this.#seq;
  }

  #send(): void {
    this.#socket.send(writer.bytes, writer.length);
  }

  /** Sends the requests that fit in one datagram and adds their results; true when one was refused. */
  #sendSome(
    requests: readonly Request[],
    results: (RtnlFailure | undefined)[],
    options: BatchOptions,
  ): boolean {
    const first = results.length;
    const most =
      options.stopOnError === true
        ? 1
        : options.oneDatagram === true
          ? Number.POSITIVE_INFINITY
          : BATCH_MESSAGES;
    const mostBytes = options.oneDatagram === true ? Number.POSITIVE_INFINITY : BATCH_BYTES;
    const places = new Map<number, number>();
    let last = 0;
    let lastSeq = 0;
    writer.reset();
    for (const request of requests.slice(first, first + most)) {
      if (writer.length > mostBytes) break;
      lastSeq = this.#nextSeq();
      places.set(lastSeq, results.length);
      last = writer.message(request, (request.flags ?? 0) | NLM_F_REQUEST, lastSeq);
      results.push(undefined);
    }
    // Refusals are answered always, successes only where asked: the last one's answer says that all before it were handled.
    if (options.oneDatagram !== true) writer.addFlags(last, NLM_F_ACK);
    this.#send();
    let refused = false;
    let finished = options.oneDatagram === true;
    this.#drain((message) => {
      if (message.type !== NLMSG_ERROR) return;
      const place = places.get(message.seq);
      if (place === undefined) return;
      if (message.seq === lastSeq) finished = true;
      const failure = parseError(message);
      if (failure === undefined) return;
      refused = true;
      results[place] ??= failure;
    });
    if (!finished) throw noAnswer('no acknowledgement of a batch');
    return refused;
  }

  /** Takes everything that waits on the socket. Throws when the kernel lost some of it or when a datagram was cut off. */
  #drain(visit: (message: Message) => void): void {
    let lost: Error | undefined;
    for (;;) {
      try {
        const datagram = this.#receive();
        if (datagram === undefined) break;
        eachMessage(datagram, visit);
      } catch (error) {
        if (!isLoss(error)) throw error;
        lost = error;
      }
    }
    if (lost !== undefined) throw lost;
  }

  /** The next datagram, copied out of the buffer that is used again; undefined where none waits. */
  #receive(): Buffer | undefined {
    const length = this.#socket.receive(buffer);
    if (length < 0) return undefined;
    if (length > buffer.length) {
      buffer = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(length)));
      throw new TruncatedAnswer(length);
    }
    return Buffer.from(buffer.subarray(0, length));
  }

  /** One round of a dump, read to its end even when it is already spoilt: the kernel allows one dump at a time on a socket. */
  #dumpOnce(request: Request): DumpRound {
    const seq = this.#nextSeq();
    writer.reset();
    writer.message(request, (request.flags ?? 0) | NLM_F_REQUEST | NLM_F_DUMP, seq);
    this.#send();
    const payloads: Buffer[] = [];
    let done = false;
    let spoilt = false;
    let failure: RtnlFailure | undefined;
    const visit = (message: Message): void => {
      if (message.seq !== seq) return;
      if ((message.flags & NLM_F_DUMP_INTR) !== 0) spoilt = true;
      if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
        done = true;
        failure = message.type === NLMSG_DONE ? parseDone(message) : parseError(message);
      } else if (message.type > NLMSG_OVERRUN) {
        payloads.push(message.payload);
      }
    };
    try {
      this.#drain(visit);
    } catch (error) {
      if (!isLoss(error)) throw error;
      spoilt = true;
    }
    if (failure !== undefined) throw new RtnlError(failure);
    if (!done && !spoilt) throw noAnswer('a dump without its end');
    return { payloads, complete: !spoilt };
  }
}

/** A datagram was longer than the buffer, which has grown for the next one. */
class TruncatedAnswer extends Error {
  override readonly name = 'TruncatedAnswer';
  constructor(length: number) {
    super(`an answer of ${length} bytes did not fit into the receive buffer`);
  }
}

/** Errors after which the socket works on, and an answer is missing. */
function isLoss(error: unknown): error is Error {
  return error instanceof TruncatedAnswer || (error instanceof SyscallError && error.errno === ENOBUFS);
}

function noAnswer(what: string): Error {
  return new Error(`the kernel answered a netlink request with ${what}`);
}

function eachMessage(datagram: Buffer, visit: (message: Message) => void): void {
  let at = 0;
  while (at + NLMSG_HDRLEN <= datagram.length) {
    const length = datagram.readUInt32LE(at);
    if (length < NLMSG_HDRLEN || at + length > datagram.length) return;
    const type = datagram.readUInt16LE(at + 4);
    if (type !== NLMSG_NOOP) {
      visit({
        type,
        flags: datagram.readUInt16LE(at + 6),
        seq: datagram.readUInt32LE(at + 8),
        payload: datagram.subarray(at + NLMSG_HDRLEN, at + length),
      });
    }
    at += (length + 3) & ~3;
  }
}

/** The failure of an NLMSG_ERROR message, or undefined where it is an acknowledgement. */
function parseError({ flags, payload }: Message): RtnlFailure | undefined {
  if (payload.length < 4) return failureOf(EINTR, 'an error message without an error');
  const errno = -payload.readInt32LE(0);
  if (errno === 0) return undefined;
  // int error, then the request's header, and the rest of the request unless NETLINK_CAP_ACK took it off.
  const capped = (flags & NLM_F_CAPPED) !== 0 || payload.length < 8;
  const request = capped ? NLMSG_HDRLEN : (payload.readUInt32LE(4) + 3) & ~3;
  return parseFailure(errno, payload, (flags & NLM_F_ACK_TLVS) === 0 ? undefined : 4 + request);
}

/** The failure with which a dump ended: NLMSG_DONE carries an errno and, on error, the extended acknowledgement. */
function parseDone({ flags, payload }: Message): RtnlFailure | undefined {
  const errno = payload.length < 4 ? 0 : -payload.readInt32LE(0);
  if (errno <= 0) return undefined;
  return parseFailure(errno, payload, (flags & NLM_F_ACK_TLVS) === 0 ? undefined : 4);
}
