// The program's bytes: test of src/container/program.ts and program-ops.ts, against the helper's own list of the ops.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeProgram, disassemble, encodeProgram } from '../../../src/container/program.ts';
import {
  BIND_FLAG_READ_ONLY_RECURSIVE,
  BIND_FLAG_RECURSIVE,
  CGROUP_FLAG_V2,
  type FieldKind,
  type ProgramOp,
  programOps,
  restartPolicies,
} from '../../../src/container/program-ops.ts';

const helper = join(import.meta.dirname, '../../../src/helper');
const header = readFileSync(join(helper, 'program.h'), 'utf8');
const decoder = readFileSync(join(helper, 'program.c'), 'utf8');

/** NAME = 1 of an enum. */
function constants(pattern: RegExp): Record<string, number> {
  return Object.fromEntries(
    [...header.matchAll(pattern)].map(([, name = '', value]) => [name, Number(value)]),
  );
}

describe('the table of ops', () => {
  it('has the codes of program.h', () => {
    const codes = constants(/\bOP_([A-Z_]+) = (\d+),/g);
    delete codes['MAX_FIELDS'];
    assert.ok(Object.keys(codes).length > 30);
    assert.deepEqual(
      Object.fromEntries(Object.entries(programOps).map(([name, { code }]) => [name, code])),
      codes,
    );
  });

  it('has the fields of the decoder in program.c, in its order', () => {
    const letters: Record<FieldKind, string> = {
      text: 's',
      list: 'l',
      u32: 'u',
      i32: 'i',
      u64: 'q',
      bytes: 'b',
      u32list: 'g',
    };
    const ours = Object.entries(programOps).map(([name, { fields }]) => {
      return [
        name,
        Object.values(fields as Record<string, FieldKind>)
          .map((kind) => letters[kind])
          .join(''),
      ];
    });
    const theirs = [...decoder.matchAll(/\{OP_([A-Z_]+), [^"]*"[A-Z_]+", "([a-z]*)"/g)].map(
      ([, name, kinds]) => [name, kinds],
    );
    assert.deepEqual(Object.fromEntries(ours), Object.fromEntries(theirs));
  });

  it('has the flags and the policies of program.h', () => {
    const all = constants(/\b((?:CGROUP|BIND)_FLAG_[A-Z_0-9]+|RESTART_[A-Z_]+) = (\d+)/g);
    assert.deepEqual(all, {
      CGROUP_FLAG_V2,
      BIND_FLAG_RECURSIVE,
      BIND_FLAG_READ_ONLY_RECURSIVE,
      RESTART_NO: restartPolicies.no,
      RESTART_ON_FAILURE: restartPolicies['on-failure'],
      RESTART_ALWAYS: restartPolicies.always,
      RESTART_UNLESS_STOPPED: restartPolicies['unless-stopped'],
    });
  });
});

const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', ''));
const u32 = fc.nat({ max: 0xffff_ffff });
const kinds: Record<FieldKind, fc.Arbitrary<unknown>> = {
  text,
  list: fc.array(text),
  u32,
  i32: fc.integer(),
  u64: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  bytes: fc.uint8Array(),
  u32list: fc.array(u32),
};

const anyOp = fc.constantFrom(...Object.entries(programOps)).chain(([op, { fields }]) => {
  const values = Object.entries(fields as Record<string, FieldKind>).map(([name, kind]) => [
    name,
    kinds[kind],
  ]);
  return fc.record({ op: fc.constant(op), ...Object.fromEntries(values) }) as fc.Arbitrary<ProgramOp>;
});

describe('a program', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.array(anyOp), (ops) => {
        assert.deepEqual(
          decodeProgram(encodeProgram(ops)),
          ops.map((op) => ({ ...op })),
        );
      }),
    );
  });

  it('has the bytes that program.h describes', () => {
    const bytes = encodeProgram([
      { op: 'CGROUP', flags: 1, directory: '/é' },
      { op: 'OOM_SCORE_ADJ', value: -1 },
    ]);
    const expected =
      '4e534c50 01000000 02000000 0800 0100 07000000 03000000 2fc3a9 3800 0000 04000000 ffffffff';
    assert.equal(Buffer.from(bytes).toString('hex'), expected.replaceAll(' ', ''));
    assert.equal(disassemble(bytes), 'CGROUP flags=1 directory="/é"\nOOM_SCORE_ADJ value=-1\n');
  });

  it('that is cut off or has something after its end is none', () => {
    const bytes = encodeProgram([{ op: 'ARGV', argv: ['a', 'b'] }]);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeProgram(bytes.subarray(0, length)), `${length} bytes`);
    }
    assert.throws(() => decodeProgram(Buffer.concat([bytes, Buffer.alloc(1)])), /after the last op/);
  });

  it('has no NUL in a text, and at most a mebibyte', () => {
    assert.throws(() => encodeProgram([{ op: 'CWD', path: '/a\0b' }]), /NUL/);
    assert.throws(() => encodeProgram([{ op: 'CWD', path: 'x'.repeat(1 << 20) }]), /longer/);
  });
});
