// Names of images: Docker's rules for what is left out, and the two spellings.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { familiarName, fullName, parseReference } from '../../../src/image/reference.ts';

const digest = `sha256:${'0a'.repeat(32)}`;

function both(text: string): [string, string] {
  const parsed = parseReference(text);
  assert.ok(parsed.ok, `${text} ${parsed.ok ? '' : parsed.error}`);
  return [fullName(parsed.value), familiarName(parsed.value)];
}

function mistake(text: string): string {
  const parsed = parseReference(text);
  assert.ok(!parsed.ok, text);
  return parsed.error;
}

describe('the name of an image', () => {
  it('has a default host, folder and tag', () => {
    assert.deepEqual(both('nginx'), ['docker.io/library/nginx:latest', 'nginx:latest']);
    assert.deepEqual(both('team/web:1.2'), ['docker.io/team/web:1.2', 'team/web:1.2']);
    assert.deepEqual(both('docker.io/nginx'), ['docker.io/library/nginx:latest', 'nginx:latest']);
    assert.deepEqual(both('index.docker.io/a/b'), ['docker.io/a/b:latest', 'a/b:latest']);
    assert.deepEqual(both('library/nginx'), ['docker.io/library/nginx:latest', 'nginx:latest']);
  });

  it('has a host where the first part has a dot, a port or a capital, or is localhost', () => {
    for (const host of ['localhost', 'localhost:5000', 'quay.io', '10.0.0.1:5000', '[::1]:5000', 'Host'])
      assert.deepEqual(both(`${host}/x`), [`${host}/x:latest`, `${host}/x:latest`]);
    assert.deepEqual(both('host/x:1'), ['docker.io/host/x:1', 'host/x:1']);
  });

  it('has a digest, and no tag then unless one is written', () => {
    assert.deepEqual(both(`nginx@${digest}`), [`docker.io/library/nginx@${digest}`, `nginx@${digest}`]);
    const long = `host:5000/a/b:tag@${digest}`;
    assert.deepEqual(both(long), [long, long]);
  });

  it('is refused where it is none', () => {
    assert.match(mistake('Nginx'), /capital letters/);
    assert.match(mistake(''), /no name/);
    assert.match(mistake('docker.io/'), /no name/);
    assert.match(mistake('a:b:c'), /small letters/);
    assert.match(mistake('a//b'), /small letters/);
    assert.match(mistake('a/../b'), /small letters/);
    assert.match(mistake('a..b'), /small letters/);
    assert.match(mistake('-a'), /small letters/);
    assert.match(mistake('a:-b'), /the tag/);
    assert.match(mistake(`a:${'t'.repeat(129)}`), /the tag/);
    assert.match(mistake('a_.example/x'), /the host/);
    assert.match(mistake('a.b:99999999/x'), /the host/);
    assert.match(mistake(`${'a/'.repeat(127)}aa`), /more than 255/);
    assert.match(mistake('a@sha256:12'), /digest/);
    assert.match(mistake(`a@sha512:${'0'.repeat(128)}`), /other than sha256/);
    assert.match(mistake(`a@${digest.toUpperCase()}`), /digest/);
  });

  it('means the same in both spellings, and no text makes it throw', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,4})?$/);
    const host = fc.constantFrom('', 'localhost/', 'h.example:5000/', 'docker.io/', '[::1]:80/');
    const tag = fc.constantFrom('', ':latest', ':1.2-x_Y');
    const paths = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(host, paths, tag, fc.boolean(), (h, path, t, hasDigest) => {
        const [full, familiar] = both(`${h}${path}${t}${hasDigest ? `@${digest}` : ''}`);
        assert.deepEqual(both(full), [full, familiar]);
        assert.deepEqual(both(familiar), [full, familiar]);
      }),
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseReference(text)));
  });
});
