// Published ports in Docker Compose's short and long form (the Compose specification, "ports"), as data. Pure.

import { type IpAddress, parseIpAddress } from '../base/ip.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { TextProblem } from './container-text.ts';
import type { PortRange } from './filter.ts';
import { portCount } from './network.ts';

export type PortOptions = {
  readonly target: number | string;
  readonly published?: string | number | undefined;
  readonly host_ip?: string | undefined;
  readonly protocol?: 'tcp' | 'udp' | undefined;
  readonly mode?: 'host' | 'ingress' | undefined;
  readonly name?: string | undefined;
  readonly app_protocol?: string | undefined;
};

export type PortText = {
  readonly proto: 'tcp' | 'udp';
  /** Absent: every address of the machine. */
  readonly address?: IpAddress;
  /** Absent: nslab chooses. Longer than `inside` only where that is one port: then it chooses from it. */
  readonly outside?: PortRange;
  readonly inside: PortRange;
};

type Read<T> = Result<T, TextProblem>;

/** As many as one entry may publish: each is a socket of the helper. */
const MAX_PORTS = 1024;
const HINT = 'as "8081:80/tcp", the port of the machine first';

function fail(message: string, hint?: string): Result<never, TextProblem> {
  return err(hint === undefined ? { message } : { message, hint });
}

function quote(text: string | number): string {
  return JSON.stringify(String(text));
}

/** `80`, `8081:80/tcp`, `127.0.0.1:8081:80`, `[::1]:8000-8010:8000-8010/udp`, `127.0.0.1::80`, or the long form. */
export function parsePort(value: string | number | PortOptions): Read<PortText> {
  if (typeof value === 'object') return longPort(value);
  const text = String(value);
  const [ports = '', protoText, more] = text.split('/');
  if (more !== undefined || ports === '') return fail(`${quote(text)} is not a published port`, HINT);
  const proto = protoText?.toLowerCase() ?? 'tcp';
  if (proto !== 'tcp' && proto !== 'udp') {
    return fail(`${quote(protoText ?? '')} is not a protocol of a published port`, 'tcp or udp');
  }
  const parts = splitPorts(ports);
  if (parts === undefined) return fail(`${quote(text)} is not a published port`, HINT);
  return readPort({ ...parts, proto, text });
}

type Parts = {
  readonly address?: string | undefined;
  readonly outside?: string | undefined;
  readonly inside: string;
};

/** An IPv6 address stands in brackets, as in a URL. */
function splitPorts(text: string): Parts | undefined {
  const bracket = /^\[([^\]]*)\]:(.*)$/.exec(text);
  const parts = (bracket?.[2] ?? text).split(':');
  if (bracket !== null) {
    const [outside, inside, more] = parts;
    if (inside === undefined || more !== undefined) return undefined;
    return { address: bracket[1] ?? '', outside, inside };
  }
  const [first = '', second, third, more] = parts;
  if (more !== undefined) return undefined;
  if (second === undefined) return { inside: first };
  return third === undefined
    ? { outside: first, inside: second }
    : { address: first, outside: second, inside: third };
}

function longPort({ target, published, host_ip, protocol = 'tcp' }: PortOptions): Read<PortText> {
  const outside = published === undefined ? undefined : String(published);
  const text = outside === undefined ? String(target) : `${outside}:${target}`;
  const address = host_ip?.replace(/^\[(.*)\]$/, '$1');
  return readPort({ address, outside, inside: String(target), proto: protocol, text });
}

type RawPort = Parts & { readonly proto: 'tcp' | 'udp'; readonly text: string };

function readPort({ address: addressText, outside: outsideText, inside: insideText, proto, text }: RawPort) {
  const inside = readRange(insideText);
  if (!inside.ok) return inside;
  const outside = outsideText === undefined || outsideText === '' ? undefined : readRange(outsideText);
  if (outside?.ok === false) return outside;
  let address: IpAddress | undefined;
  if (addressText !== undefined) {
    const parsed = parseIpAddress(addressText);
    if (!parsed.ok) {
      const hint = addressText.includes(':') ? 'as "[::1]:8081:80"' : 'as "127.0.0.1:8081:80"';
      return fail(`${quote(addressText)} is not an address of the machine: ${parsed.error}`, hint);
    }
    address = parsed.value;
  }
  const count = portCount(inside.value);
  const room = outside === undefined ? count : portCount(outside.value);
  if (count !== room && count !== 1) {
    return fail(`the two ranges of ${quote(text)} have different lengths: ${room} ports lead to ${count}`);
  }
  if (room > MAX_PORTS) return fail(`${quote(text)} are ${room} ports, and ${MAX_PORTS} is the most`);
  return ok<PortText>({
    proto,
    ...(address === undefined ? {} : { address }),
    ...(outside === undefined ? {} : { outside: outside.value }),
    inside: inside.value,
  });
}

function readRange(text: string): Read<PortRange> {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text);
  const from = Number(match?.[1]);
  const to = match?.[2] === undefined ? from : Number(match[2]);
  if (match === null || from < 1 || from > 65535 || to > 65535) {
    return fail(`${quote(text)} is not a port from 1 to 65535, or a range as 8000-8010`, HINT);
  }
  if (to < from) return fail(`the range ${quote(text)} ends before it begins`, `write ${to}-${from}`);
  return ok(to === from ? { from } : { from, to });
}
