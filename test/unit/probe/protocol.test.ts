import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeRequest, parseReply } from '../../../src/probe/protocol.ts';

test('a request is one line of fields', () => {
  const base = { netns: '/run/netns/a', timeout: 1500.4, address: '10.0.0.1' };
  assert.equal(
    encodeRequest(7, { ...base, kind: 'tcp', port: 80 }),
    '7\t/run/netns/a\t1500\ttcp\t10.0.0.1\t80\t-\n',
  );
  assert.equal(
    encodeRequest(8, { ...base, netns: null, kind: 'icmp', payload: Buffer.from('ab') }),
    '8\t-\t1500\ticmp\t10.0.0.1\t0\t6162\n',
  );
});

test('nothing in a request becomes another field or another line', () => {
  for (const address of ['10.0.0.1\t80', '10.0.0.1\n', '1\0']) {
    const request = { netns: null, timeout: 1, address, kind: 'tcp', port: 80 } as const;
    assert.throws(() => encodeRequest(1, request), /not a probe/);
  }
});

test('an answer is read with what an ICMP message said', () => {
  assert.deepEqual(parseReply('3\terror\t250\t113\t3\t1\t10.0.0.254\t-'), {
    id: 3,
    reply: {
      state: 'error',
      micros: 250,
      code: 'EHOSTUNREACH',
      icmp: { type: 3, code: 1, from: '10.0.0.254' },
      data: Buffer.alloc(0),
    },
  });
  assert.deepEqual(parseReply('4\tanswer\t80\t0\t-\t-\t-\t6869')?.reply.data.toString(), 'hi');
  for (const line of ['', '1\tanswer', '1\tfine\t1\t0\t-\t-\t-\t-', '1\tanswer\t1\t0\t-\t-\t-\t-\t-'])
    assert.equal(parseReply(line), undefined, line);
});
