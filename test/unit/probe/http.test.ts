import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { httpRequest, parseHttpAnswer, parseHttpUrl } from '../../../src/probe/http.ts';

const answer = (text: string) => parseHttpAnswer(Buffer.from(text, 'latin1'));

test('a web address is a host, a port and a path', () => {
  assert.deepEqual(parseHttpUrl('http://web'), { host: 'web', port: 80, path: '/' });
  assert.deepEqual(parseHttpUrl('http://[2001:db8::1]:8080/a?b=c'), {
    host: '2001:db8::1',
    port: 8080,
    path: '/a?b=c',
  });
  for (const text of ['https://web/', 'web', 'ftp://web', 'http://'])
    assert.equal(parseHttpUrl(text), undefined, text);
});

test('the request names the host as it was asked for', () => {
  const text = Buffer.from(httpRequest({ host: '2001:db8::1', port: 8080, path: '/x' })).toString();
  assert.match(text, /^GET \/x HTTP\/1\.1\r\nHost: \[2001:db8::1\]:8080\r\n/);
  assert.match(text, /\r\nConnection: close\r\n\r\n$/);
});

test('the status and the beginning of the body', () => {
  assert.deepEqual(answer('HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello'), { status: 200, body: 'hello' });
  assert.deepEqual(answer('HTTP/1.0 404 \r\n\r\n'), { status: 404, body: '' });
  assert.deepEqual(answer('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n'), { status: 204, body: '' });
  for (const text of [
    '',
    'HTTP/1.1 200 OK\r\n',
    'SSH-2.0-x\r\n\r\n',
    'HTTP/1.1 20 x\r\n\r\n',
    'HTTP/1.1 100 C\r\n\r\n',
  ])
    assert.equal(answer(text), undefined, text);
});

test('chunks are put together, also when the last one is cut off', () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  assert.equal(answer(`${head}5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n`)?.body, 'hello world');
  assert.equal(answer(`${head}5\r\nhello\r\nff\r\n wor`)?.body, 'hello wor');
});

test('whatever comes, it is read or not, and nothing else happens', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, fc.boolean(), (tail, chunked) => {
      const head = `HTTP/1.1 200 OK\r\n${chunked ? 'Transfer-Encoding: chunked\r\n' : ''}\r\n`;
      parseHttpAnswer(Buffer.from(tail));
      assert.equal(parseHttpAnswer(Buffer.concat([Buffer.from(head), tail]))?.status, 200);
    }),
  );
});
