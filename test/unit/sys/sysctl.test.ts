import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSysctl, sysctlPath } from '../../../src/sys/sysctl.ts';

test('dots separate, and a slash stands for a dot inside an interface name', () => {
  assert.equal(sysctlPath('net.ipv4.ip_forward'), '/proc/sys/net/ipv4/ip_forward');
  assert.equal(sysctlPath('net.ipv4.conf.eth0/5.forwarding'), '/proc/sys/net/ipv4/conf/eth0.5/forwarding');
});

test('a key that the kernel lacks has no value', () => {
  assert.equal(readSysctl('net.ipv4.no_such_key'), undefined);
  assert.match(readSysctl('net.ipv4.ip_forward') ?? '', /^[01]$/);
});
