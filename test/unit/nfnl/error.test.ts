// Refusals of a kernel that lacks a part of nf_tables, played by a fake socket: the error names the module.

import assert from 'node:assert/strict';
import test from 'node:test';
import { applyTable, deleteTable, listTables } from '../../../src/nfnl/apply.ts';
import { NfnlError } from '../../../src/nfnl/error.ts';
import { masqueradeRule, snatChain } from '../../../src/nfnl/nat.ts';
import type { NftRule, NftTable } from '../../../src/nfnl/ruleset.ts';
import type { NetlinkSocket } from '../../../src/rtnl/socket.ts';
import { Transport } from '../../../src/rtnl/transport.ts';

type Sent = { readonly type: number; readonly seq: number; readonly bytes: Buffer };
type Refusal = { readonly errno: number; readonly offset?: number };

const ENOENT = 2;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const NEWCHAIN = 0xa03;
const NEWRULE = 0xa06;
const DELTABLE = 0xa02;

/** A kernel that refuses what the function says, and is silent about the rest, as one without NLM_F_ACK is. */
function refusing(refuse: (message: Sent) => Refusal | undefined): Transport {
  const answers: Buffer[] = [];
  const socket: NetlinkSocket = {
    send(bytes, length) {
      const datagram = Buffer.from(bytes.subarray(0, length));
      for (let at = 0; at < datagram.length; ) {
        const size = datagram.readUInt32LE(at);
        const message = {
          type: datagram.readUInt16LE(at + 4),
          seq: datagram.readUInt32LE(at + 8),
          bytes: datagram.subarray(at, at + size),
        };
        const refusal = refuse(message);
        if (refusal !== undefined) answers.push(errorMessage(message, refusal));
        at += (size + 3) & ~3;
      }
    },
    receive(into) {
      const answer = answers.shift();
      if (answer === undefined) return -1;
      into.set(answer);
      return answer.length;
    },
    close() {},
  };
  return new Transport(socket);
}

/** NLMSG_ERROR with a capped request (NLM_F_CAPPED) and, with an offset, NLMSGERR_ATTR_OFFS. */
function errorMessage({ bytes, seq }: Sent, { errno, offset }: Refusal): Buffer {
  const answer = Buffer.alloc(offset === undefined ? 36 : 44);
  answer.writeUInt32LE(answer.length, 0);
  answer.writeUInt16LE(2, 4);
  answer.writeUInt16LE(0x100 | (offset === undefined ? 0 : 0x200), 6);
  answer.writeUInt32LE(seq, 8);
  answer.writeInt32LE(-errno, 16);
  bytes.copy(answer, 20, 0, 16);
  if (offset !== undefined) {
    answer.writeUInt16LE(8, 36);
    answer.writeUInt16LE(2, 38);
    answer.writeUInt32LE(offset, 40);
  }
  return answer;
}

/** Where the expression of the name begins: at the NFTA_LIST_ELEM that holds it. */
function offsetOf(bytes: Buffer, name: string): number {
  return bytes.indexOf(`${name}\0`) - 8;
}

function errorOf(body: () => unknown): NfnlError {
  try {
    body();
  } catch (error) {
    assert.ok(error instanceof NfnlError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
}

const natTable: NftTable = {
  family: 'inet',
  name: 't',
  chains: [snatChain([masqueradeRule({ oifname: 'up' })])],
};

function filterTable(family: NftTable['family'], ...rules: NftRule[]): NftTable {
  return {
    family,
    name: 't',
    chains: [{ name: 'input', base: { type: 'filter', hook: 'input', priority: 0 }, rules }],
  };
}

test('a missing expression is named by its module, where the kernel says which it is', () => {
  const missing = (table: NftTable, name: string): NfnlError =>
    errorOf(() =>
      applyTable(
        refusing(({ type, bytes }) =>
          type === NEWRULE ? { errno: ENOENT, offset: offsetOf(bytes, name) } : undefined,
        ),
        table,
      ),
    );
  const masq = missing(natTable, 'masq');
  assert.equal(masq.module, 'nft_masq');
  assert.equal(
    masq.message,
    'table inet t, chain postrouting, rule 1: oifname "up" masquerade: ENOENT: the kernel lacks nft_masq',
  );
  const rule: NftRule = {
    matches: [
      { match: 'ct state', states: ['new'] },
      { match: 'fib daddr type', types: ['local'] },
    ],
    statements: [{ statement: 'log' }, { statement: 'reject' }],
  };
  assert.equal(missing(filterTable('inet', rule), 'reject').module, 'nft_reject_inet');
  assert.equal(missing(filterTable('ip6', rule), 'reject').module, 'nft_reject_ipv6');
  assert.equal(missing(filterTable('ip', rule), 'fib').module, 'nft_fib_ipv4');
  assert.equal(missing(filterTable('inet', rule), 'ct').module, 'nft_ct');
  assert.equal(missing(filterTable('inet', rule), 'log').module, 'nft_log');
});

test('an expression of nf_tables itself is no missing module', () => {
  const transport = refusing(({ type, bytes }) =>
    type === NEWRULE ? { errno: ENOENT, offset: offsetOf(bytes, 'meta') } : undefined,
  );
  const error = errorOf(() => applyTable(transport, natTable));
  assert.equal(error.module, undefined);
  assert.match(error.message, /masquerade: ENOENT$/);
});

test('without the place of the refused attribute all modules of the rule are named', () => {
  const transport = refusing(({ type }) => (type === NEWRULE ? { errno: EOPNOTSUPP } : undefined));
  const rule: NftRule = {
    matches: [{ match: 'ct state', states: ['new'] }],
    statements: [{ statement: 'reject' }],
  };
  assert.equal(
    errorOf(() => applyTable(transport, filterTable('inet', rule))).module,
    'nft_ct or nft_reject_inet',
  );
});

test('a chain type that is missing is named by its module', () => {
  const transport = refusing(({ type }) => (type === NEWCHAIN ? { errno: ENOENT } : undefined));
  const error = errorOf(() => applyTable(transport, natTable));
  assert.deepEqual(error.place, { chain: 'postrouting' });
  assert.equal(error.message, 'table inet t, chain postrouting: ENOENT: the kernel lacks nft_chain_nat');
});

test('a kernel without nf_tables is told as that', () => {
  const transport = refusing(({ type }) => (type === 0x10 ? { errno: EOPNOTSUPP } : undefined));
  const error = errorOf(() => applyTable(transport, natTable));
  assert.equal(error.message, 'table inet t: EOPNOTSUPP: the kernel lacks nf_tables');
  assert.equal(errorOf(() => listTables(refusing(() => ({ errno: EINVAL })))).module, 'nf_tables');
});

test('deleting a table tells missing from refused', () => {
  assert.equal(
    deleteTable(
      refusing(({ type }) => (type === DELTABLE ? { errno: ENOENT } : undefined)),
      'inet',
      't',
    ),
    false,
  );
  const busy = refusing(({ type }) => (type === DELTABLE ? { errno: 16 } : undefined));
  assert.equal(errorOf(() => deleteTable(busy, 'inet', 't')).message, 'table inet t: EBUSY');
});
