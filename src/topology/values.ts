// Texts of the file to typed values. Each reader says what is wrong at the path it was given and is undefined then, so that
// lowering can go on with the rest. The rules are those of src/base.

import {
  type IpAddress,
  type IpFamily,
  type IpInterface,
  type IpPrefix,
  ipFamily,
  parseIpAddress,
  parseIpInterface,
  parseIpPrefix,
} from '../base/ip.ts';
import { type MacAddress, parseMacAddress } from '../base/names.ts';
import type { Result } from '../base/result.ts';
import type { UnitProblem } from '../base/units.ts';
import type { AddressRange, PortRange } from '../model/filter.ts';
import type { Report } from './draft.ts';
import type { Path } from './problems.ts';

/** Where a value stands and where to complain about it. */
export type At = { readonly report: Report; readonly path: Path };

export function quote(text: string | number): string {
  return JSON.stringify(String(text));
}

export function readAddress(text: string, at: At): IpAddress | undefined {
  const result = parseIpAddress(text);
  if (result.ok) return result.value;
  const plain = text.includes('/') ? parseIpInterface(text) : undefined;
  if (plain?.ok === true) {
    const hint = `write ${text.slice(0, text.indexOf('/'))}`;
    return at.report.fail(
      at.path,
      'ADDRESS_INVALID',
      `${quote(text)} has a prefix length, and an address alone is needed`,
      hint,
    );
  }
  return at.report.fail(at.path, 'ADDRESS_INVALID', `${quote(text)} is not an address: ${result.error}`);
}

export function readIpInterface(text: string, at: At): IpInterface | undefined {
  const result = parseIpInterface(text);
  if (result.ok) return result.value;
  const bare = parseIpAddress(text);
  if (!bare.ok) {
    return at.report.fail(at.path, 'ADDRESS_INVALID', `${quote(text)} is not an address: ${result.error}`);
  }
  const hint = `write ${text}/${ipFamily(bare.value) === 4 ? 24 : 64}, or the length that the subnet has`;
  return at.report.fail(at.path, 'ADDRESS_INVALID', `${quote(text)} lacks the length of its subnet`, hint);
}

/** A subnet; an address alone is the subnet of that one address, as ip-route(8) reads it. */
export function readPrefix(text: string, at: At): IpPrefix | undefined {
  const address = parseIpAddress(text);
  if (address.ok) return `${address.value}/${ipFamily(address.value) === 4 ? 32 : 128}` as IpPrefix;
  const result = parseIpPrefix(text);
  if (result.ok) return result.value;
  return at.report.fail(at.path, 'SUBNET_INVALID', `${quote(text)} is not a subnet: ${result.error}`);
}

export function readMac(text: string, at: At): MacAddress | undefined {
  const result = parseMacAddress(text);
  if (result.ok) return result.value;
  return at.report.fail(at.path, 'MAC_INVALID', `MAC address ${quote(text)} ${result.error}`);
}

/** A quantity through one of the parsers of units.ts. */
export function readUnit(result: Result<number, UnitProblem>, at: At): number | undefined {
  if (result.ok) return result.value;
  return at.report.fail(at.path, result.error.code, result.error.message, result.error.hint);
}

/** `8080`, `8000-8010`. */
export function readPortRange(value: string | number, at: At): PortRange | undefined {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(String(value).trim());
  const from = Number(match?.[1]);
  const to = match?.[2] === undefined ? undefined : Number(match[2]);
  if (match === null || from < 1 || from > 65535 || (to !== undefined && to > 65535)) {
    return at.report.fail(
      at.path,
      'VALUE_INVALID',
      `${quote(value)} is not a port from 1 to 65535, or a range as 8000-8010`,
    );
  }
  if (to !== undefined && to < from) {
    return at.report.fail(
      at.path,
      'VALUE_INVALID',
      `the range ${quote(value)} ends before it begins`,
      `write ${to}-${from}`,
    );
  }
  return to === undefined || to === from ? { from } : { from, to };
}

/** `10.0.0.1` or `10.0.0.1-10.0.0.9`. */
export function readAddressRange(text: string, at: At): AddressRange | undefined {
  const dash = text.indexOf('-');
  const from = readAddress(dash < 0 ? text : text.slice(0, dash).trim(), at);
  if (dash < 0 || from === undefined) return from === undefined ? undefined : { from };
  const to = readAddress(text.slice(dash + 1).trim(), at);
  if (to === undefined) return undefined;
  if (ipFamily(from) !== ipFamily(to)) {
    return at.report.fail(
      at.path,
      'ADDRESS_INVALID',
      `the range ${quote(text)} begins in one family and ends in the other`,
    );
  }
  return { from, to };
}

/** `4`, `inet`, `ip` are IPv4; `6`, `inet6`, `ip6` are IPv6. */
export function readFamily(word: string | number | undefined): IpFamily | undefined {
  if (word === undefined) return undefined;
  return String(word).endsWith('6') ? 6 : 4;
}

/** The members of a value that may be one or a list, each with its path. */
export function members<T>(value: T | readonly T[] | undefined, path: Path): { value: T; path: Path }[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return [{ value: value as T, path }];
  return (value as readonly T[]).map((member, index) => ({ value: member, path: [...path, index] }));
}
