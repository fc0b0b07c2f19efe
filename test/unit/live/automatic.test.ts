// What the kernel makes by itself, told from what somebody made.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { IpInterface } from '../../../src/base/ip.ts';
import type { IfName } from '../../../src/base/names.ts';
import { isAutomaticAddress, isFallback } from '../../../src/live/automatic.ts';
import type { LiveAddress } from '../../../src/live/netns.ts';

function address(ip: string, more: Partial<LiveAddress>): LiveAddress {
  return {
    ip: ip as IpInterface,
    scope: 'global',
    nodad: false,
    permanent: true,
    noprefixroute: false,
    tentative: false,
    ...more,
  };
}

test('an address is the kernel’s own where the kernel says so, and on lo', () => {
  assert.ok(isAutomaticAddress(address('127.0.0.1/8', { scope: 'host' })));
  assert.ok(isAutomaticAddress(address('fe80::1/64', { scope: 'link', proto: 3 })));
  assert.ok(!isAutomaticAddress(address('fe80::1/64', { scope: 'link' })));
  assert.ok(!isAutomaticAddress(address('127.0.0.2/8', { scope: 'host' })));
  assert.ok(!isAutomaticAddress(address('10.0.0.1/8', { proto: 4 })));
});

test('a tunnel that every namespace is born with is told by name and kind', () => {
  const device = (ifname: string, kind: string) => ({
    ifname: ifname as IfName,
    data: { type: 'other', kind } as const,
  });
  assert.ok(isFallback(device('sit0', 'sit')));
  assert.ok(!isFallback(device('sit1', 'sit')));
  assert.ok(!isFallback({ ifname: 'sit0' as IfName, data: { type: 'dummy' } }));
});
