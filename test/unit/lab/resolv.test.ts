import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasLoopbackServer, resolverForNodes, resolverOf } from '../../../src/lab/resolv.ts';

const stub = 'nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.org\n';
const upstream = 'nameserver 192.0.2.53\nsearch example.org\n';

test('a resolver on a loopback address is recognised in both families', () => {
  assert.equal(hasLoopbackServer(stub), true);
  assert.equal(hasLoopbackServer('nameserver 127.0.0.1\n'), true);
  assert.equal(hasLoopbackServer('nameserver 192.0.2.53\nnameserver ::1\n'), true);
  assert.equal(hasLoopbackServer(upstream), false);
  assert.equal(hasLoopbackServer('# nameserver 127.0.0.53\nnameserver 192.0.2.53\n'), false);
  assert.equal(hasLoopbackServer('nameserver 2001:db8::127\n'), false);
});

test('a resolver that nodes can reach is left alone', () => {
  assert.equal(resolverForNodes(upstream, undefined), undefined);
  assert.equal(resolverForNodes(undefined, upstream), undefined);
});

test('in the place of the stub resolver nodes get the servers behind it', () => {
  assert.equal(resolverForNodes(stub, upstream), upstream);
});

test('with no server that can be reached, search and options stay and 127.0.0.53 is not copied', () => {
  for (const behind of [undefined, 'nameserver 127.0.0.1\n']) {
    const text = resolverForNodes(stub, behind) ?? '';
    assert.doesNotMatch(text, /^nameserver/m);
    assert.match(text, /^search example\.org$/m);
    assert.match(text, /^options edns0 trust-ad$/m);
  }
});

test('who names servers gets those, who names only domains gets the servers of the machine with them', () => {
  const search = 'search lab.example\n';
  const machine = { machine: upstream, forNodes: undefined };
  assert.equal(resolverOf(`nameserver 192.0.2.1\n${search}`, machine), `nameserver 192.0.2.1\n${search}`);
  assert.equal(resolverOf(search, machine), `nameserver 192.0.2.53\n${search}`);
  assert.equal(resolverOf(undefined, machine), undefined);
  const stubbed = { machine: stub, forNodes: resolverForNodes(stub, undefined) };
  assert.equal(resolverOf(search, stubbed), search);
  assert.equal(resolverOf(undefined, stubbed), stubbed.forNodes);
});
