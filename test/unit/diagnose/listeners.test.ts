import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListeners } from '../../../src/diagnose/ask.ts';

// Lines as /proc/net/tcp, tcp6 and udp of a little-endian machine have them.
const head =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (local: string, state: string) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 0 0 1 1\n`;

test('who waits for TCP and UDP, on which address', () => {
  const tcp = head + line('0100007F:1F90', '0A') + line('0200000A:0050', '01') + line('00000000:0016', '0A');
  assert.deepEqual(parseListeners('tcp', tcp), [
    { address: '127.0.0.1', port: 8080 },
    { address: '0.0.0.0', port: 22 },
  ]);
  const six =
    head +
    line('B80D0120000000000000000001000000:0050', '0A') +
    line('0000000000000000FFFF00000100000A:0051', '0A');
  assert.deepEqual(parseListeners('tcp', six), [
    { address: '2001:db8::1', port: 80 },
    { address: '10.0.0.1', port: 81 },
  ]);
  assert.deepEqual(parseListeners('udp', head + line('00000000:0035', '07') + line('0100007F:0035', '01')), [
    { address: '0.0.0.0', port: 53 },
  ]);
  assert.deepEqual(parseListeners('tcp', ''), []);
});
