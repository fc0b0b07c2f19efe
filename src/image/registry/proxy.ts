// Which hosts are spoken to through a proxy, and which. The variables and their meaning are those of docker, podman and skopeo
// (golang.org/x/net/http/httpproxy): HTTPS_PROXY, HTTP_PROXY, NO_PROXY, or in small letters. A proxy may have a name and a password in its
// address; they are never part of a message.

import { BlockList, isIP } from 'node:net';
import { NslabError } from '../../base/error.ts';
import { isLoopback } from './hosts.ts';

/** A proxy, and the name of the variable that has it. */
export type HttpProxy = {
  readonly variable: string;
  /** `http:` or `https:`: how the proxy itself is spoken to. */
  readonly protocol: string;
  /** As a URL has it, IPv6 in brackets. */
  readonly hostname: string;
  readonly port: number;
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
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
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
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
    return rules.some((rule) => rule(host, port));
  };
}

type DirectRule = (host: string, port: string) => boolean;

function directRule(word: string): DirectRule {
  if (word === '*') return () => true;
  const [, network = '', prefix = ''] = /^([0-9a-f.:]+)\/([0-9]{1,3})$/.exec(word) ?? [];
  if (isIP(network) !== 0) return inNetwork(network, Number(prefix));
  const [, bare = word, port] =
    isIP(word) === 6 ? [word, word] : (/^\[?([^\]]*?)\]?(?::([0-9]+))?$/.exec(word) ?? []);
  const isName =
    isIP(bare) === 0 ? nameRule(bare.replace(/^\*\./, '.')) : (host: string) => sameAddress(host, bare);
  return (host, at) => (port === undefined || port === at) && isName(host);
}

function nameRule(name: string): (host: string) => boolean {
  if (name.startsWith('.')) return (host) => host.endsWith(name);
  return (host) => host === name || host.endsWith(`.${name}`);
}

function inNetwork(network: string, prefix: number): DirectRule {
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  if (prefix > (family === 'ipv6' ? 128 : 32)) return () => false;
  const block = new BlockList();
  block.addSubnet(network, prefix, family);
  return (host) => isIP(host) !== 0 && block.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
}

function sameAddress(host: string, address: string): boolean {
  return isIP(host) === isIP(address) && inNetwork(address, isIP(address) === 6 ? 128 : 32)(host, '');
}
