// The reading of WWW-Authenticate headers.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseChallenges, scopesOf } from '../../../../src/image/registry/challenge.ts';

function read(...headers: string[]) {
  return parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

test('a Bearer challenge is read with its realm, service and scope', () => {
  const header =
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"';
  assert.deepEqual(read(header), [
    [
      'bearer',
      {
        realm: 'https://auth.docker.io/token',
        service: 'registry.docker.io',
        scope: 'repository:library/alpine:pull',
      },
    ],
  ]);
});

test('scheme and parameters are the same in capitals, and blanks stand anywhere', () => {
  assert.deepEqual(read(' BEARER   Realm = "r" ,  SERVICE=s '), [['bearer', { realm: 'r', service: 's' }]]);
});

test('several scopes are several, in one text or in two', () => {
  const [one] = parseChallenges(['Bearer realm="r",scope="repository:a:pull repository:b:pull,push"']);
  assert.deepEqual(one && scopesOf(one), ['repository:a:pull', 'repository:b:pull,push']);
  const [two] = parseChallenges(['Bearer realm="r",scope="repository:a:pull",scope="repository:b:pull"']);
  assert.deepEqual(two && scopesOf(two), ['repository:a:pull', 'repository:b:pull']);
});

test('commas and quotes inside of a quoted text belong to it', () => {
  assert.deepEqual(read('Basic realm="a, \\"b\\" \\\\ c", Bearer realm="x"'), [
    ['basic', { realm: 'a, "b" \\ c' }],
    ['bearer', { realm: 'x' }],
  ]);
});

test('several headers are read one after another, and a scheme may have no parameter', () => {
  assert.deepEqual(read('Negotiate', 'Basic realm="r"'), [
    ['negotiate', {}],
    ['basic', { realm: 'r' }],
  ]);
});

test('a text that is not a challenge is none, and what was read before it stays', () => {
  assert.deepEqual(read('', ',,,', '=x', '"realm"'), []);
  assert.deepEqual(read('Bearer realm="never ends'), [['bearer', {}]]);
  assert.deepEqual(read('Bearer realm="r", @@@, service="s"'), [['bearer', { realm: 'r' }]]);
  assert.deepEqual(read('Bearer realm="first",realm="second"'), [['bearer', { realm: 'first' }]]);
});

test('no text makes it throw or run long', () => {
  const pieces = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'realm', 'x', '\t', 'ä', '\u0000');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      assert.ok(parseChallenges([parts.join('')]).length <= 16);
    }),
    { numRuns: 2000 },
  );
});

test('what is written as a challenge is read back', () => {
  const word = fc.stringMatching(/^[A-Za-z0-9-]{1,8}$/);
  const value = fc.stringMatching(/^[ -~]{0,20}$/);
  fc.assert(
    fc.property(
      word,
      fc.uniqueArray(fc.tuple(word, value), { selector: ([k]) => k.toLowerCase() }),
      (s, p) => {
        const parameters = p.filter(([name]) => name.toLowerCase() !== 'scope');
        const text = parameters.map(([k, v]) => `${k}="${v.replaceAll(/["\\]/g, '\\$&')}"`).join(', ');
        const wanted = Object.fromEntries(parameters.map(([k, v]) => [k.toLowerCase(), v]));
        assert.deepEqual(read(`${s} ${text}`), [[s.toLowerCase(), wanted]]);
      },
    ),
  );
});
