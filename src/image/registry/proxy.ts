// Which hosts are spoken to through a proxy, and which. The variables and their meaning are those of docker, podman and skopeo
// (golang.org/x/net/http/httpproxy): HTTPS_PROXY, HTTP_PROXY, NO_PROXY, or in small letters. A proxy may have a name and a password in its
// address; they are never part of a message.

import { isIP } from 'node:net';
import { NslabError } from '../../base/error.ts';
import {
  type IpPrefix,
  parseIpAddress,
  parseIpInterface,
  parseIpPrefix,
  prefixContains,
  subnetOf,
} from '../../base/ip.ts';
import { bareHost, isLoopback, portOf } from './hosts.ts';

/** A proxy, and the name of the variable that has it. */
export type HttpProxy = {
  readonly variable: string;
  /** `http:` or `https:`: how the proxy itself is spoken to. */
  readonly protocol: string;
  /** As a URL has it, IPv6 in brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Both, `HOSTNAME:PORT`. */
  readonly host: string;
  /** For the header Proxy-Authorization. */
  readonly authorization: string | undefined;
};

/** The proxy for an address, if there is one. @throws NslabError REGISTRY_CONFIG */
export type ProxyChoice = (url: URL) => HttpProxy | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the variables; one that is no address is an error when it is needed. */
export function proxiesOf(environment: Environment): ProxyChoice {
  const variables = { 'https:': 'HTTPS_PROXY', 'http:': 'HTTP_PROXY' } as const;
  const isDirect = directHosts(firstSet(environment, 'NO_PROXY')?.value ?? '');
  return (url) => {
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
    const set = firstSet(environment, variables[url.protocol]);
    if (set === undefined || isLoopback(url.hostname) || isDirect(url)) return undefined;
    return parseProxy(set);
  };
}

type Variable = { readonly name: string; readonly value: string };

function firstSet(environment: Environment, upper: string): Variable | undefined {
  for (const name of [upper, upper.toLowerCase()]) {
    const value = environment[name]?.trim() ?? '';
    if (value !== '') return { name, value };
  }
  return undefined;
}

/** `[http://][NAME:PASSWORD@]HOST[:PORT]`. */
function parseProxy({ name, value }: Variable): HttpProxy {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '')
    throw new NslabError('REGISTRY_CONFIG', `${name} is not the address of a proxy`, {
      hint: `${name}=http://HOST:PORT`,
    });
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NslabError('REGISTRY_CONFIG', `${name} has a proxy that speaks ${url.protocol.slice(0, -1)}`, {
      hint: 'proxies are spoken to by http or https',
    });
  const secret = [url.username, url.password].map(decoded).join(':');
  return {
    variable: name,
    protocol: url.protocol,
    hostname: url.hostname,
    port: portOf(url),
    host: `${url.hostname}:${portOf(url)}`,
    authorization:
      url.username === '' ? undefined : `Basic ${Buffer.from(secret, 'utf8').toString('base64')}`,
  };
}

/** A lone `%` is one in a password that somebody did not encode. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * What NO_PROXY says: `example.com` is that host and all below it, `.example.com` only those below, an address or a network those
 * addresses, each with `:PORT` only at that port, and `*` everything.
 */
function directHosts(list: string): (url: URL) => boolean {
  const rules = list
    .split(',')
    .map((word) => word.trim().toLowerCase())
    .filter((word) => word !== '')
    .map(directRule);
  return (url) => {
    const host = bareHost(url.hostname).replace(/\.$/, '');
    return rules.some((rule) => rule(host, portOf(url)));
  };
}

type DirectRule = (host: string, port: number) => boolean;

function directRule(word: string): DirectRule {
  if (word === '*') return () => true;
  const network = parseIpInterface(word);
  if (network.ok) return inNetwork(subnetOf(network.value));
  const [, bare = word, port] = isIP(word) === 6 ? [] : (/^\[?([^\]]*?)\]?(?::([0-9]+))?$/.exec(word) ?? []);
  const alone = parseIpPrefix(`${bare}/${bare.includes(':') ? 128 : 32}`);
  const isMeant = alone.ok ? inNetwork(alone.value) : nameRule(bare.replace(/^\*\./, '.'));
  return (host, at) => (port === undefined || Number(port) === at) && isMeant(host, at);
}

function nameRule(name: string): DirectRule {
  if (name.startsWith('.')) return (host) => host.endsWith(name);
  return (host) => host === name || host.endsWith(`.${name}`);
}

function inNetwork(prefix: IpPrefix): DirectRule {
  return (host) => {
    const address = parseIpAddress(host);
    return address.ok && prefixContains(prefix, address.value);
  };
}
