// Names that would be a path, an option or an escape sequence, in every place of a file where a name becomes part of a path, of a
// command line or of a host name.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { NslabError } from '../../../src/base/error.ts';
import { labOfContainer } from '../../../src/lab/run.ts';
import { loadText } from '../../../src/topology/load.ts';

const hostile: readonly string[] = [
  ...['..', '.', '../x', '../../etc', '/etc', 'a/b', 'a/../b', '', ' ', 'a b', ' a', 'a ', '-rf', '--', '-'],
  ...['a\nb', 'a\n', '\0', 'a\0b', '\u001b]0;x\u0007', 'a\u007f', 'a\u0085b', '\u202egnp', '\ufeffa', 'ä'],
  ...[
    'a:b',
    'a,b',
    'a\\b',
    '$HOME',
    '`id`',
    '$(id)',
    '%2e%2e',
    '*',
    '~',
    '#a',
    'x'.repeat(64),
    'x'.repeat(5000),
  ],
];

/** A place where a file has a name. */
const places: Readonly<Record<string, (name: string) => object>> = {
  lab: (name) => ({ name, nodes: { a: { rootfs: 'host' } } }),
  node: (name) => ({ name: 'lab', nodes: { [name]: { rootfs: 'host' } } }),
  hostname: (hostname) => ({ name: 'lab', nodes: { a: { rootfs: 'host', hostname } } }),
  volume: (name) => ({ name: 'lab', nodes: { a: { rootfs: 'host', volumes: [`${name}:/data`] } } }),
  'volume in its long form': (source) => ({
    name: 'lab',
    nodes: { a: { rootfs: 'host', volumes: [{ type: 'volume', source, target: '/data' }] } },
  }),
};

function load(file: object): void {
  loadText(JSON.stringify(file).replaceAll('$', '$$$$'), { path: '/lab/lab.yaml', env: {} });
}

/** Names that mean something else there and are right: a path is a bind, 64 bytes are a host name, 128 a volume. */
const meant: Readonly<Record<string, (name: string) => boolean>> = {
  volume: (name) => /^[/.~]/.test(name) || name.includes(':') || name.length === 64,
  'volume in its long form': (name) => name.length === 64,
  hostname: (name) => name.length === 64,
};

for (const [place, file] of Object.entries(places)) {
  test(`a name that leads elsewhere is refused as that of a ${place}`, () => {
    load(file('fine'));
    for (const name of hostile) {
      if (meant[place]?.(name) === true) continue;
      assert.throws(() => load(file(name)), NslabError, `${place} ${JSON.stringify(name).slice(0, 80)}`);
    }
  });
}

test('whatever is accepted as a name is one part of a path and no option', () => {
  const unit = fc.constantFrom('a', '.', '/', '-', '_', ' ', '\n', '\0', ':', '0', '\u001b');
  fc.assert(
    fc.property(
      fc.string({ unit, maxLength: 6 }),
      fc.constantFrom('lab', 'node', 'volume in its long form'),
      (name, place) => {
        try {
          load(places[place]?.(name) ?? {});
        } catch (error) {
          assert.ok(error instanceof NslabError);
          return;
        }
        assert.match(name, /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/);
      },
    ),
    { numRuns: 400 },
  );
});

test('a name on the command line of run is refused as that of a file is', () => {
  for (const name of hostile)
    assert.throws(
      () => labOfContainer(name, { rootfs: 'host' }),
      NslabError,
      JSON.stringify(name).slice(0, 80),
    );
});
