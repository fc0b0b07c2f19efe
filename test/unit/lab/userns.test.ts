import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { NslabError } from '../../../src/base/error.ts';
import { giveIds, keepIds, parseSubids } from '../../../src/lab/userns.ts';
import type { Lab } from '../../../src/model/lab.ts';
import { type IdMaps, usernsOf } from '../../../src/model/userns.ts';
import { labOf } from '../../support/check-yaml.ts';

function labWith(...words: readonly string[]): Lab {
  return labOf(
    `nodes: { ${[...words.map((userns, i) => `n${i}: { rootfs: host, userns: ${userns} }`), 'plain: {}'].join(', ')} }`,
  );
}

function mapsOf(lab: Lab): IdMaps[] {
  return lab.nodes.flatMap((node) => {
    const userns = usernsOf(node);
    return userns.mode === 'map' ? [userns.maps] : [];
  });
}

const both = (text: string) => ({ uid: text, gid: text });

test('only lines NAME:FIRST:COUNT are ranges of ids', () => {
  const text = '# comment\nroot:100000:65536\ncontainers:1:0\nx:y:z\nme:5:6:7\n1000:70000:10 \n';
  assert.deepEqual(parseSubids(text), [
    { owner: 'root', range: { first: 100000, count: 65536 } },
    { owner: '1000', range: { first: 70000, count: 10 } },
  ]);
});

test('ids come from root, then nslab, then containers, users and groups each from their own file', () => {
  const subids = {
    uid: 'me:1:999999\ncontainers:400000:65536\nnslab:300000:65536\n0:200000:65536\n',
    gid: 'nslab:900000:200000\n',
  };
  const lab = giveIds(labWith('auto', 'auto', 'auto'), [], subids);
  assert.deepEqual(
    mapsOf(lab).map(({ uid, gid }) => [uid[0]?.hostID, gid[0]?.hostID]),
    [
      [200000, 900000],
      [300000, 965536],
      [400000, 1031072],
    ],
  );
});

test('what running containers have, explicit ranges among them, is not given again, and what is between them is', () => {
  const running = labWith('{ uid: ["0:100000:10"] }', '100030:10', 'host').nodes;
  const own = labWith('auto:size=20', '100010:5', 'auto:size=15');
  const lab = giveIds(own, running, both('containers:100000:60\n'));
  assert.deepEqual(
    mapsOf(lab).map(({ uid }) => [uid[0]?.hostID, uid[0]?.size]),
    [
      [100040, 20],
      [100010, 5],
      [100015, 15],
    ],
  );
});

test('whatever the labs, no two containers share an id', () => {
  const size = fc.integer({ min: 1, max: 300 });
  void fc.assert(
    fc.property(fc.array(size, { maxLength: 8 }), fc.array(size, { minLength: 1, maxLength: 8 }), (a, b) => {
      const words = (sizes: number[]) => sizes.map((n) => `"auto:size=${n}"`);
      const subids = both('root:1000:700\nroot:5000:2500\nnslab:1500:900\n');
      let taken: IdMaps[];
      try {
        const first = giveIds(labWith(...words(a)), [], subids);
        taken = [...mapsOf(first), ...mapsOf(giveIds(labWith(...words(b)), first.nodes, subids))];
      } catch (error) {
        if (error instanceof NslabError && error.code === 'CONTAINER_USERNS') return;
        throw error;
      }
      const ids = taken.flatMap(({ uid }) =>
        uid.flatMap(({ hostID, size: n }) => Array.from({ length: n }, (_, i) => hostID + i)),
      );
      assert.equal(new Set(ids).size, ids.length);
      assert.ok(ids.every((id) => (id >= 1000 && id < 2400) || (id >= 5000 && id < 7500)));
    }),
  );
});

test('without a line or without room the line to add is told, with ids that nobody has', () => {
  const refusal = (text: string): NslabError => {
    try {
      giveIds(labWith('auto'), [], both(text));
    } catch (error) {
      if (error instanceof NslabError) return error;
    }
    return assert.fail('it was not refused');
  };
  const none = refusal('');
  assert.equal(none.code, 'CONTAINER_USERNS');
  assert.equal(none.message, 'n0: userns: auto: /etc/subuid has no line for root, nslab or containers');
  assert.equal(none.hint, 'add the line containers:1048576:1048576 to /etc/subuid and to /etc/subgid');
  const full = refusal('root:100000:65535\nme:2000000:9\n');
  assert.match(full.message, /has no 65536 ids left/);
  assert.match(full.hint ?? '', /containers:2097152:1048576/);
});

test('a container that is up keeps its ids as long as the file asks for as many', () => {
  const subids = both('root:100000:1000000\n');
  const up = giveIds(labWith('auto', 'auto:size=1000', '5000:10'), [], subids);
  const same = labWith('auto', 'auto:size=1000', '5000:10');
  assert.deepEqual(mapsOf(keepIds(same, up)), mapsOf(up));
  // What is asked for anew is found anew.
  const other = keepIds(labWith('auto:size=1000', 'auto:size=1000', 'auto'), up);
  assert.deepEqual(
    other.nodes.slice(0, 3).map((node) => usernsOf(node).mode),
    ['auto', 'map', 'auto'],
  );
});
