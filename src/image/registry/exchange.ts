// Requests to one repository of one registry: who we are, which of HTTPS and HTTP is spoken, and where it sends us. Everything a
// registry answers with is looked at here before anything is done with it.

import { Authorizer } from './authorizer.ts';
import { parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { Fault } from './fault.ts';
import { type Endpoint, isLoopback, isSameHost, mayBePlain } from './hosts.ts';
import { type Body, HttpClient, type HttpResponse, type Method } from './http.ts';
import type { ProxyChoice } from './proxy.ts';
import { statusFault } from './status.ts';
import { contextFor, type TlsSources } from './tls.ts';

export type ExchangeOptions = {
  readonly endpoint: Endpoint;
  readonly scopes: readonly string[];
  readonly credentials: () => Promise<Credentials | undefined>;
  readonly tls: TlsSources;
  readonly proxyOf: ProxyChoice;
  readonly stallMs: number;
  readonly documentMs: number;
  readonly signal: AbortSignal;
};

export type Ask = {
  readonly method: Method;
  /** A path below /v2/PATH/ as `manifests/latest`; or an address that the registry gave, see resolve(). */
  readonly to: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  /** What ends this one; the whole exchange's by default. */
  readonly signal?: AbortSignal;
  /** Statuses that are returned; any other is thrown. */
  readonly expect: readonly number[];
  /** For messages: `the manifest`. */
  readonly what: string;
};

export type Answer = HttpResponse & {
  /** Where it came from in the end. */
  readonly url: URL;
};

/** As many as browsers, and more than any registry needs. */
const MOST_REDIRECTS = 5;
const redirects = [301, 302, 303, 307, 308];

export class Exchange {
  readonly endpoint: Endpoint;
  readonly #options: ExchangeOptions;
  readonly #http: HttpClient;
  readonly #authorizer: Authorizer;
  /** Unknown until the first answer, on hosts where both are allowed. */
  #scheme: 'https:' | 'http:' = 'https:';
  #spoken = false;

  constructor(options: ExchangeOptions) {
    const { endpoint, scopes, credentials, documentMs, stallMs, proxyOf } = options;
    this.endpoint = endpoint;
    this.#options = options;
    this.#http = new HttpClient({ stallMs, proxyOf, tlsOf: (host) => this.#tlsOf(host) });
    this.#authorizer = new Authorizer({ endpoint, http: this.#http, scopes, credentials, documentMs });
  }

  get documentMs(): number {
    return this.#options.documentMs;
  }

  hasCredentials(): Promise<boolean> {
    return this.#authorizer.hasCredentials();
  }

  close(): void {
    this.#http.close();
  }

  /**
   * One request, with what it takes to have it answered; nothing is tried again.
   * @throws Fault, NslabError REGISTRY_CREDENTIALS or REGISTRY_CONFIG
   */
  async ask(ask: Ask): Promise<Answer> {
    try {
      return await this.#ask(ask);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const message = this.#authorizer.withoutSecrets(error.message);
      // A host that has answered before and now does not is being restarted, or is too busy.
      const transient = error.transient || (error.kind === 'unreachable' && this.#spoken);
      throw new Fault(error.kind, message, {
        transient,
        waitMs: error.waitMs,
        hint: error.hint,
        cause: error.cause,
        ...(error.status === undefined ? {} : { status: error.status }),
      });
    }
  }

  /**
   * An address that the registry gave in a Location header, as one may use it.
   * @throws Fault `answer`
   */
  resolve(location: string | undefined, from: URL): URL {
    const url =
      location !== undefined && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
      throw new Fault('answer', 'it sends us to something that is no address');
    url.hash = '';
    if (
      url.protocol === 'http:' &&
      (from.protocol === 'https:' || !mayBePlain(this.endpoint, url.hostname))
    ) {
      throw new Fault('answer', `it sends us to ${url.host}, where plain HTTP would be spoken`, {
        hint: 'a proxy in front of the registry that does not pass X-Forwarded-Proto on does this',
      });
    }
    return url;
  }

  async #ask(ask: Ask): Promise<Answer> {
    const { documentMs } = this.#options;
    let answer = await this.#authorized(ask);
    for (let n = 0; redirects.includes(answer.status); n++) {
      answer.discard();
      if (n >= MOST_REDIRECTS) throw new Fault('answer', `${ask.what}: it redirects and redirects`);
      // What was sent once is not sent to whoever is named next: an upload has its own way to be told where (Location).
      if (ask.method !== 'GET' && ask.method !== 'HEAD')
        throw new Fault('answer', `${ask.what}: it redirects a ${ask.method}`);
      const url = this.resolve(answer.header('location'), answer.url);
      answer = this.#isRegistry(url)
        ? await this.#authorized({ ...ask, to: url })
        : await this.#send(ask, url);
    }
    if (ask.expect.includes(answer.status)) return answer;
    const fault = await statusFault(answer, { what: ask.what, documentMs });
    // The signature in an address of a storage server lasts for minutes; the registry gives a new one.
    if (!this.#isRegistry(answer.url) && (fault.status === 401 || fault.status === 403)) {
      throw new Fault('status', `${answer.url.host}, where it sends us: ${fault.message}`, {
        status: 502,
        transient: true,
      });
    }
    throw fault;
  }

  /** A 401 is answered once: a second one means that what we have does not do. */
  async #authorized(ask: Ask): Promise<Answer> {
    const { signal } = this.#options;
    const url = this.#urlOf(ask.to);
    if (!this.#isRegistry(url)) return await this.#send(ask, url);
    const used = await this.#authorizer.header(signal);
    const answer = await this.#send(ask, url, used);
    if (answer.status !== 401) return answer;
    const challenges = parseChallenges(answer.headers('www-authenticate'));
    if (!(await this.#authorizer.refused(challenges, used))) return answer;
    answer.discard();
    return await this.#send(ask, this.#urlOf(ask.to), await this.#authorizer.header(signal));
  }

  #urlOf(to: string | URL): URL {
    if (to instanceof URL) return to;
    // `/` alone asks whether this is a registry at all.
    const { host, path } = this.endpoint;
    return new URL(`${this.#scheme}//${host}/v2/${to === '/' ? '' : `${path}/${to}`}`);
  }

  #isRegistry(url: URL): boolean {
    return url.origin === new URL(`${this.#scheme}//${this.endpoint.host}`).origin;
  }

  async #send(ask: Ask, url: URL, authorization?: string): Promise<Answer> {
    const { method, body, headers = {}, signal = this.#options.signal } = ask;
    const request = {
      method,
      signal,
      headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
      ...(body === undefined ? {} : { body }),
    };
    try {
      const response = await this.#http.request({ ...request, url });
      this.#spoken = true;
      return { ...response, url };
    } catch (error) {
      if (!(error instanceof Fault) || !this.#mayFallBack(error, url)) throw error;
      this.#scheme = 'http:';
      const plain = new URL(url);
      plain.protocol = 'http:';
      // 443 stays what it was: `https://host` has no port of its own to keep.
      const response = await this.#http.request({ ...request, url: plain });
      this.#spoken = true;
      return { ...response, url: plain };
    }
  }

  /** Only before the first answer: a registry that has spoken TLS once does not lose it. */
  #mayFallBack(fault: Fault, url: URL): boolean {
    const noTls = fault.kind === 'notTls' || fault.kind === 'broken' || fault.kind === 'unreachable';
    if (this.#spoken || !noTls || url.protocol !== 'https:' || !this.#isRegistry(url)) return false;
    // Without a port in its name a registry may listen on 80 and not on 443.
    if (fault.kind === 'unreachable' && url.port !== '') return false;
    return isLoopback(url.hostname) || this.endpoint.insecure;
  }

  #tlsOf(host: string) {
    const { endpoint, tls } = this.#options;
    const verify = !(endpoint.insecure && isSameHost(endpoint, new URL(`https://${host}`).hostname));
    // `docker.io` is spoken to at another name, and a URL does not show the port 443.
    const isOwn = host === new URL(`https://${endpoint.host}`).host;
    const names: readonly [string, ...string[]] = isOwn
      ? ([...new Set([endpoint.name, host])] as [string, ...string[]])
      : [host];
    return { context: contextFor(names, endpoint.caFile, tls), verify };
  }
}
