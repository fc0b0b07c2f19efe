// The transport over a socket that plays the kernel.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RtnlError } from '../../../src/rtnl/error.ts';
import { MessageWriter, NLM_F_ACK, type Request } from '../../../src/rtnl/message.ts';
import type { NetlinkSocket } from '../../../src/rtnl/socket.ts';
import { Transport } from '../../../src/rtnl/transport.ts';
import { SyscallError } from '../../../src/sys/libc.ts';

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_MULTI = 2;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const ENOBUFS = 105;

type Seen = { readonly type: number; readonly flags: number; readonly seq: number };
type Answer = Buffer | Error;

/** Answers each datagram with what the script says; an Error in the list is thrown by receive. */
class FakeSocket implements NetlinkSocket {
  readonly sent: Seen[][] = [];
  #waiting: Answer[] = [];
  readonly #script: (requests: Seen[], datagram: number) => Answer[];
  closed = 0;

  constructor(script: (requests: Seen[], datagram: number) => Answer[]) {
    this.#script = script;
  }

  send(bytes: Uint8Array, length: number): void {
    const datagram = Buffer.from(bytes.subarray(0, length));
    const requests: Seen[] = [];
    for (let at = 0; at < datagram.length; at += (datagram.readUInt32LE(at) + 3) & ~3) {
      requests.push({
        type: datagram.readUInt16LE(at + 4),
        flags: datagram.readUInt16LE(at + 6),
        seq: datagram.readUInt32LE(at + 8),
      });
    }
    this.sent.push(requests);
    this.#waiting.push(...this.#script(requests, this.sent.length));
  }

  receive(into: Uint8Array): number {
    const next = this.#waiting.shift();
    if (next === undefined) return -1;
    if (next instanceof Error) throw next;
    into.set(next.subarray(0, into.length));
    return next.length;
  }

  close(): void {
    this.closed++;
  }
}

function message(header: { type: number; flags?: number; seq: number }, payload: Uint8Array): Buffer {
  const writer = new MessageWriter(16);
  writer.message({ type: header.type, payload }, header.flags ?? 0, header.seq);
  return writer.take();
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** An NLMSG_ERROR as NETLINK_CAP_ACK has it. */
function ack(seq: number, errno = 0, words?: string): Buffer {
  const tlvs = new MessageWriter(16);
  if (words !== undefined) {
    tlvs.attrString(1, words);
    tlvs.attrU32(2, 36);
  }
  const payload = Buffer.concat([int(-errno), Buffer.alloc(16), tlvs.take()]);
  return message(
    { type: NLMSG_ERROR, flags: NLM_F_CAPPED | (words === undefined ? 0 : NLM_F_ACK_TLVS), seq },
    payload,
  );
}

/** What the kernel answers: every refusal, and successes that asked for it. */
function acknowledge(requests: Seen[], refuse: (request: Seen) => number = () => 0): Buffer[] {
  return requests.flatMap((request) => {
    const errno = refuse(request);
    return errno !== 0 || (request.flags & NLM_F_ACK) !== 0 ? [ack(request.seq, errno)] : [];
  });
}

const request = (type: number): Request => ({ type, payload: Buffer.alloc(16) });
const many = (count: number): Request[] => Array.from({ length: count }, (_, i) => request(100 + i));
const nobufs = (): SyscallError => new SyscallError('recv', ENOBUFS);

test('a batch asks for one acknowledgement per datagram, and all requests have their result in order', () => {
  const socket = new FakeSocket((requests) => acknowledge(requests, ({ type }) => (type === 103 ? 17 : 0)));
  const results = new Transport(socket).batch(many(600));
  assert.equal(results.length, 600);
  assert.deepEqual(results[3], { errno: 17, code: 'EEXIST', message: '' });
  assert.ok(results.every((failure, i) => (failure === undefined) === (i !== 3)));
  assert.ok(socket.sent.length >= 2);
  for (const datagram of socket.sent) {
    const asking = datagram.filter(({ flags }) => (flags & NLM_F_ACK) !== 0);
    assert.deepEqual(asking, datagram.slice(-1));
  }
  assert.deepEqual(
    socket.sent.flat().map(({ type }) => type),
    many(600).map(({ type }) => type),
  );
});

test('a batch with stopOnError ends with the first refusal and sends nothing after it', () => {
  const socket = new FakeSocket((requests) => acknowledge(requests, ({ type }) => (type === 104 ? 22 : 0)));
  const results = new Transport(socket).batch(many(20), { stopOnError: true });
  assert.deepEqual(
    results.map((failure) => failure?.code),
    [undefined, undefined, undefined, undefined, 'EINVAL'],
  );
  assert.equal(socket.sent.length, 5);
});

test('a transaction goes out as one datagram with the flags it was given', () => {
  const socket = new FakeSocket((requests) => acknowledge(requests));
  const requests = many(3000).map((one, i) => (i === 2999 ? { ...one, flags: NLM_F_ACK } : one));
  const results = new Transport(socket).batch(requests, { oneDatagram: true });
  assert.equal(socket.sent.length, 1);
  assert.equal(socket.sent[0]?.length, 3000);
  assert.equal(results.length, 3000);
  assert.equal(socket.sent[0]?.filter(({ flags }) => (flags & NLM_F_ACK) !== 0).length, 1);
});

test('the refusal of the last request of a datagram is its acknowledgement', () => {
  const socket = new FakeSocket((requests) => acknowledge(requests, () => 1));
  assert.deepEqual(
    new Transport(socket).batch(many(3)).map((failure) => failure?.code),
    ['EPERM', 'EPERM', 'EPERM'],
  );
});

test('an empty batch sends nothing', () => {
  const socket = new FakeSocket(() => []);
  assert.deepEqual(new Transport(socket).batch([]), []);
  assert.equal(socket.sent.length, 0);
});

test('a datagram that the kernel did not go through to its end is an error, and not a success', () => {
  const transport = new Transport(new FakeSocket(() => []));
  assert.throws(() => transport.batch(many(2)), /no acknowledgement of a batch/);
});

test('answers to older requests and notifications are passed over', () => {
  const socket = new FakeSocket((requests) => [
    message({ type: 16, seq: 0 }, Buffer.alloc(16)),
    ack(0xdead, 13),
    ...acknowledge(requests),
  ]);
  assert.deepEqual(new Transport(socket).batch(many(2)), [undefined, undefined]);
});

test('a refusal brings the words of the kernel and the place of the attribute', () => {
  const socket = new FakeSocket(([first]) => [ack(first?.seq ?? 0, 22, 'ipv4: Invalid prefix length')]);
  const transport = new Transport(socket);
  assert.throws(
    () => transport.request(request(20)),
    (error) =>
      error instanceof RtnlError &&
      error.message === 'EINVAL: ipv4: Invalid prefix length' &&
      error.errno === 22 &&
      error.code === 'EINVAL' &&
      error.failure.offset === 36,
  );
});

test('the words are found behind a request that the kernel sent back whole', () => {
  const back = message({ type: 20, seq: 5 }, Buffer.alloc(30, 0xff));
  const tlvs = new MessageWriter(16);
  tlvs.attrString(1, 'words');
  const socket = new FakeSocket(([first]) => [
    message(
      { type: NLMSG_ERROR, flags: NLM_F_ACK_TLVS, seq: first?.seq ?? 0 },
      Buffer.concat([int(-22), back, tlvs.take()]),
    ),
  ]);
  const [failure] = new Transport(socket).batch([request(20)]);
  assert.equal(failure?.message, 'words');
});

test('an error without extended acknowledgement has the name of its errno', () => {
  const socket = new FakeSocket(([first]) => [ack(first?.seq ?? 0, 95)]);
  assert.throws(() => new Transport(socket).request(request(16)), { message: 'EOPNOTSUPP' });
});

/** A dump of that many messages, in datagrams of two, with a flag on one of them. */
function dumpAnswer(seq: number, count: number, options: { flagged?: number; end?: Buffer } = {}): Buffer[] {
  const messages = Array.from({ length: count }, (_, i) =>
    message(
      { type: 16, flags: NLM_F_MULTI | (options.flagged === i ? NLM_F_DUMP_INTR : 0), seq },
      Buffer.of(i, 0, 0, 0),
    ),
  );
  messages.push(options.end ?? message({ type: NLMSG_DONE, flags: NLM_F_MULTI, seq }, int(0)));
  const datagrams: Buffer[] = [];
  for (let i = 0; i < messages.length; i += 2) datagrams.push(Buffer.concat(messages.slice(i, i + 2)));
  return datagrams;
}

test('a dump is the payloads of all its messages', () => {
  const socket = new FakeSocket(([first]) => dumpAnswer(first?.seq ?? 0, 5));
  const payloads = new Transport(socket).dump(request(18));
  assert.deepEqual(
    payloads.map((payload) => payload[0]),
    [0, 1, 2, 3, 4],
  );
  assert.equal((socket.sent[0]?.[0]?.flags ?? 0) & 0x300, 0x300);
});

test('a dump that changed while it was read is asked for again', () => {
  const socket = new FakeSocket(([first], round) =>
    dumpAnswer(first?.seq ?? 0, round, round < 4 ? { flagged: round - 1 } : {}),
  );
  assert.equal(new Transport(socket).dump(request(18)).length, 4);
  assert.equal(socket.sent.length, 4);
});

test('a dump that changes every time is an error after five rounds', () => {
  const socket = new FakeSocket(([first]) => dumpAnswer(first?.seq ?? 0, 3, { flagged: 1 }));
  assert.throws(
    () => new Transport(socket).dump(request(18)),
    (error) => error instanceof RtnlError && error.code === 'EINTR' && /5 times/.test(error.message),
  );
  assert.equal(socket.sent.length, 5);
});

test('a dump whose end says that it changed is asked for again', () => {
  const socket = new FakeSocket(([first], round) => {
    const seq = first?.seq ?? 0;
    const flags = NLM_F_MULTI | (round === 1 ? NLM_F_DUMP_INTR : 0);
    return dumpAnswer(seq, 1, { end: message({ type: NLMSG_DONE, flags, seq }, int(0)) });
  });
  assert.equal(new Transport(socket).dump(request(18)).length, 1);
  assert.equal(socket.sent.length, 2);
});

test('a dump that ends with an errno is refused with the words of the kernel', () => {
  const tlvs = new MessageWriter(16);
  tlvs.attrString(1, 'ipv4: FIB table does not exist');
  const socket = new FakeSocket(([first]) => [
    message(
      { type: NLMSG_DONE, flags: NLM_F_MULTI | NLM_F_ACK_TLVS, seq: first?.seq ?? 0 },
      Buffer.concat([int(-2), tlvs.take()]),
    ),
  ]);
  assert.throws(() => new Transport(socket).dump(request(26)), {
    name: 'RtnlError',
    message: 'ENOENT: ipv4: FIB table does not exist',
  });
});

test('a dump that loses messages for want of room is read to its end and asked for again', () => {
  const socket = new FakeSocket(([first], round) => {
    const answer: Answer[] = dumpAnswer(first?.seq ?? 0, 4);
    if (round === 1) answer.splice(1, 1, nobufs());
    return answer;
  });
  const transport = new Transport(socket);
  assert.equal(transport.dump(request(18)).length, 4);
  assert.equal(socket.sent.length, 2);
});

test('an answer longer than the buffer is asked for again with a larger one', () => {
  const socket = new FakeSocket(([first]) => {
    const seq = first?.seq ?? 0;
    return [
      message({ type: 16, flags: NLM_F_MULTI, seq }, Buffer.alloc(100_000, 7)),
      message({ type: NLMSG_DONE, flags: NLM_F_MULTI, seq }, int(0)),
    ];
  });
  const [payload] = new Transport(socket).dump(request(18));
  assert.equal(payload?.length, 100_000);
  assert.ok(payload?.every((byte) => byte === 7));
  assert.equal(socket.sent.length, 2);
});

test('a batch whose answers were lost is an error, since nobody knows what was done', () => {
  const socket = new FakeSocket((requests) => [nobufs(), ...acknowledge(requests)]);
  assert.throws(() => new Transport(socket).batch(many(3)), { code: 'ENOBUFS' });
});

test('after lost answers the socket is empty for the next request', () => {
  const socket = new FakeSocket((requests, round) => [
    ...(round === 1 ? [nobufs()] : []),
    ...acknowledge(requests),
  ]);
  const transport = new Transport(socket);
  assert.throws(() => transport.batch(many(3)));
  assert.deepEqual(transport.batch(many(3)), [undefined, undefined, undefined]);
});

test('get returns the message that answers it', () => {
  const socket = new FakeSocket(([first]) => [
    message({ type: 16, seq: first?.seq ?? 0 }, Buffer.from('answer!!')),
    ack(first?.seq ?? 0),
  ]);
  assert.equal(new Transport(socket).get(request(18)).toString(), 'answer!!');
});

test('get is refused with the errno of the kernel, and an acknowledgement alone is no answer', () => {
  const refused = new FakeSocket(([first]) => [ack(first?.seq ?? 0, 19)]);
  assert.throws(() => new Transport(refused).get(request(18)), { code: 'ENODEV' });
  const silent = new FakeSocket((requests) => acknowledge(requests));
  assert.throws(() => new Transport(silent).get(request(18)), /nothing but an acknowledgement/);
});

test('garbage from the kernel is not looked at outside of its bytes', () => {
  const socket = new FakeSocket((requests) => [
    Buffer.from('0400000010000000', 'hex'),
    Buffer.from('ffffffff02000000000000000000000000000000', 'hex'),
    Buffer.alloc(3),
    ...acknowledge(requests),
  ]);
  assert.deepEqual(new Transport(socket).batch(many(1)), [undefined]);
});

test('payloads stay as they are when the next answer comes in', () => {
  const socket = new FakeSocket(([first], round) => {
    const seq = first?.seq ?? 0;
    return [message({ type: 16, seq }, Buffer.alloc(4, round)), ack(seq)];
  });
  const transport = new Transport(socket);
  const one = transport.get(request(18));
  transport.get(request(18));
  assert.deepEqual([...one], [1, 1, 1, 1]);
});

test('leaving the scope closes the socket', () => {
  const socket = new FakeSocket(() => []);
  {
    using transport = new Transport(socket);
    assert.deepEqual(transport.batch([]), []);
  }
  assert.equal(socket.closed, 1);
});
