// What is put into the Authorization header for one repository of one registry: Basic, or a token that another server gives for it
// (distribution's "Token Authentication Specification" and "OAuth2 Token Authentication"). Only what the registry itself asks for
// is answered, never a host that it redirects to (CVE-2020-15157).

import { type Challenge, scopesOf } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { Fault } from './fault.ts';
import { type Endpoint, mayBePlain } from './hosts.ts';
import { type HttpClient, type HttpRequest, readAll } from './http.ts';
import { statusFault } from './status.ts';

export type AuthorizerOptions = {
  readonly endpoint: Endpoint;
  readonly http: HttpClient;
  /** What will be done, `repository:library/alpine:pull`. */
  readonly scopes: readonly string[];
  readonly credentials: () => Promise<Credentials | undefined>;
  readonly documentMs: number;
  readonly now?: () => number;
};

/** The distribution specification: a token server that says nothing means 60 seconds. */
const DEFAULT_LIFE_S = 60;
/** A token is not used in its last seconds: a request takes a while to arrive, and clocks differ. */
const MARGIN_S = 10;
const MOST_BYTES = 1 << 20;

type Scheme =
  | { readonly kind: 'basic' }
  | {
      readonly kind: 'bearer';
      readonly realm: URL;
      readonly service: string | undefined;
      readonly scopes: readonly string[];
    };
type Token = { readonly header: string; readonly until: number };

export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #secrets = new Set<string>();
  #scheme: Scheme | undefined;
  #token: Token | undefined;
  #coming: Promise<Token> | undefined;
  #credentials: Promise<Credentials | undefined> | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** What a text from a server says without what nobody may see: some servers repeat what they were asked with. */
  withoutSecrets(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret, '***');
    return clean;
  }

  /**
   * The header for the next request; undefined until the registry has asked for one.
   * @throws Fault, NslabError REGISTRY_CREDENTIALS
   */
  async header(signal: AbortSignal): Promise<string | undefined> {
    const scheme = this.#scheme;
    if (scheme === undefined) return undefined;
    if (scheme.kind === 'basic') return await this.#basic();
    const token = this.#token;
    if (token !== undefined && token.until > this.#now()) return token.header;
    // Layers ask at the same time, and one token does for all.
    this.#coming ??= this.#fetch(scheme, signal).finally(() => {
      this.#coming = undefined;
    });
    this.#token = await this.#coming;
    return this.#token.header;
  }

  /**
   * The registry answered 401 to a request with the header `used`. Says whether another one may help.
   * @throws Fault `answer` for a realm that is none or may not be asked
   */
  async refused(challenges: readonly Challenge[], used: string | undefined): Promise<boolean> {
    const bearer = challenges.find(
      ({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'),
    );
    if (bearer !== undefined) {
      // Another request has renewed it meanwhile.
      if (this.#token !== undefined && this.#token.header !== used) return true;
      this.#token = undefined;
      this.#scheme = this.#bearer(bearer);
      return true;
    }
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return false;
    const header = await this.#basic();
    if (header === undefined || header === used) return false;
    this.#scheme = { kind: 'basic' };
    return true;
  }

  /** Whether there is a name and a password to try. */
  async hasCredentials(): Promise<boolean> {
    return (await this.#ask()) !== undefined;
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #ask(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#options.credentials().then((found) => {
      if (found?.kind === 'password') {
        this.#keepSecret(found.password);
        this.#keepSecret(basicHeader(found).slice('Basic '.length));
      } else if (found !== undefined) this.#keepSecret(found.token);
      return found;
    });
    return this.#credentials;
  }

  #keepSecret(text: string): void {
    // A short one would take letters out of every message.
    if (text.length >= 4) this.#secrets.add(text);
  }

  async #basic(): Promise<string | undefined> {
    const found = await this.#ask();
    return found?.kind === 'password' ? basicHeader(found) : undefined;
  }

  #bearer(challenge: Challenge): Scheme {
    const text = challenge.parameters.get('realm') ?? '';
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    if (
      realm === undefined ||
      !/^https?:$/.test(realm.protocol) ||
      realm.username !== '' ||
      realm.password !== ''
    )
      throw new Fault('answer', 'it names a token server that is no address');
    const { endpoint, scopes } = this.#options;
    if (realm.protocol === 'http:' && !mayBePlain(endpoint, realm.hostname))
      throw new Fault(
        'answer',
        `it names the token server ${realm.host}, which would be asked in plain HTTP`,
      );
    return {
      kind: 'bearer',
      realm,
      service: challenge.parameters.get('service'),
      scopes: [...new Set([...scopes, ...scopesOf(challenge)])],
    };
  }

  async #fetch(scheme: Scheme & { readonly kind: 'bearer' }, signal: AbortSignal): Promise<Token> {
    const { http, documentMs } = this.#options;
    const credentials = await this.#ask();
    const request = tokenRequest(scheme, credentials);
    const response = await http.request({ ...request, signal });
    const what = `the token server ${scheme.realm.host}`;
    if (response.status !== 200) {
      const fault = await statusFault(response, { what, documentMs });
      throw fault.status === 401 || fault.status === 403 ? refusedBy(what, fault, credentials) : fault;
    }
    const asked = this.#now();
    const token = readToken(await readAll(response, { max: MOST_BYTES, deadlineMs: documentMs }), what);
    this.#keepSecret(token.value);
    const life = Math.max(0, token.seconds - Math.min(MARGIN_S, token.seconds / 4));
    return { header: `Bearer ${token.value}`, until: asked + life * 1000 };
  }
}

function basicHeader({
  username,
  password,
}: {
  readonly username: string;
  readonly password: string;
}): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function refusedBy(what: string, fault: Fault, credentials: Credentials | undefined): Fault {
  const why =
    credentials === undefined
      ? 'gives no token to those without a name and a password'
      : 'does not take the name and the password kept for this registry';
  return new Fault('status', `${what} ${why}`, { status: 401, cause: fault });
}

function tokenRequest(
  { realm, service, scopes }: Scheme & { readonly kind: 'bearer' },
  credentials: Credentials | undefined,
): Omit<HttpRequest, 'signal'> {
  if (credentials?.kind === 'identityToken') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      service: service ?? realm.host,
      client_id: 'nslab',
      scope: scopes.join(' '),
      refresh_token: credentials.token,
    });
    const bytes = Buffer.from(form.toString());
    return {
      method: 'POST',
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: { length: bytes.length, read: () => [bytes] },
    };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials === undefined) return { method: 'GET', url };
  url.searchParams.set('account', credentials.username);
  return { method: 'GET', url, headers: { authorization: basicHeader(credentials) } };
}

function readToken(bytes: Buffer, what: string): { readonly value: string; readonly seconds: number } {
  const broken = new Fault('answer', `${what} did not answer with a token`);
  let answer: unknown;
  try {
    answer = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw broken;
  }
  if (typeof answer !== 'object' || answer === null) throw broken;
  const { token, access_token, expires_in } = answer as Record<string, unknown>;
  const value = typeof token === 'string' && token !== '' ? token : access_token;
  // It goes into a header as it is.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) throw broken;
  const seconds = typeof expires_in === 'number' && expires_in > 0 ? expires_in : DEFAULT_LIFE_S;
  return { value, seconds };
}

/** For a list of the things that may be done with a repository. */
export function scopeOf(path: string, actions: 'pull' | 'pull,push'): string {
  return `repository:${path}:${actions}`;
}
