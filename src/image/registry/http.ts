// One HTTP request and its answer, over Node's own http and https: fetch() has no certificates of one's own without a package, and
// takes compression off behind one's back. Follows no redirect and repeats nothing; that is exchange.ts. What this adds to Node is
// a limit on silence: `stallMs` without a byte in either direction ends the request, however long all of it takes.

import {
  type ClientRequest,
  type ClientRequestArgs,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Fault, faultOf, stalled } from './fault.ts';
import { bareHost, portOf } from './hosts.ts';
import type { HttpProxy, ProxyChoice } from './proxy.ts';
import { type HostTls, tlsOptions } from './tls.ts';
import { addressOf, proxyFault, proxyHeaders, TunnelAgent, wantsPassword } from './tunnel.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A body whose length is known; it can be read again for another try. */
export type Body = {
  readonly length: number;
  readonly read: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
};

export type HttpRequest = {
  readonly method: Method;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly signal: AbortSignal;
};

export type HttpResponse = {
  readonly status: number;
  /** Undefined when absent, the first when there are several. */
  readonly header: (name: string) => string | undefined;
  readonly headers: (name: string) => readonly string[];
  /** The bytes as they come. Throws a Fault; whoever leaves early closes the connection. */
  readonly body: () => AsyncGenerator<Buffer, void, undefined>;
  /** For whoever has no use for the body. */
  readonly discard: () => void;
};

export type HttpOptions = {
  readonly stallMs: number;
  readonly tlsOf: (host: string) => HostTls;
  readonly proxyOf: ProxyChoice;
};

/** More than this of an answer that nobody wants is not read for the sake of the connection. */
const MOST_DISCARDED = 64 << 10;

export class HttpClient {
  readonly #options: HttpOptions;
  readonly #plain = new HttpAgent({ keepAlive: true, maxSockets: 16 });
  readonly #secure = new Map<string, HttpsAgent>();

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** @throws Fault */
  async request(wanted: HttpRequest): Promise<HttpResponse> {
    const { stallMs } = this.#options;
    if (wanted.signal.aborted) throw new Fault('aborted', 'interrupted');
    const proxy = this.#options.proxyOf(wanted.url);
    const message = this.#open(wanted, proxy);
    // A tunnel says itself what happened between us and the proxy.
    const spokenTo = wanted.url.protocol === 'http:' ? proxy : undefined;
    // Beside destroying the request, because one that has no connection yet tells nobody that it was destroyed.
    let giveUp: (fault: Fault) => void = () => undefined;
    const givenUp = new Promise<never>((_resolve, reject) => {
      giveUp = (fault) => {
        message.destroy(fault);
        reject(fault);
      };
    });
    givenUp.catch(() => undefined);
    // Not Node's option `signal`: the agent hands it on to the socket, which the next request would share.
    const abort = (): void => giveUp(new Fault('aborted', 'interrupted'));
    wanted.signal.addEventListener('abort', abort, { once: true });
    message.once('close', () => wanted.signal.removeEventListener('abort', abort));
    const watch = new Watch(stallMs, () => giveUp(stalled(stallMs)));
    try {
      const response = await Promise.race([answerTo(message, wanted.body, watch), givenUp]);
      if (spokenTo !== undefined && response.statusCode === 407) throw wantsPassword(spokenTo);
      return responseOf(response, { stallMs, signal: wanted.signal });
    } catch (error) {
      message.destroy();
      if (wanted.signal.aborted) throw new Fault('aborted', 'interrupted');
      throw spokenTo === undefined ? faultOf(error) : proxyFault(error, spokenTo);
    } finally {
      watch.stop();
    }
  }

  /** Closes the connections that are kept for the next request; without it the process would wait for them. */
  close(): void {
    this.#plain.destroy();
    for (const agent of this.#secure.values()) agent.destroy();
  }

  #open({ method, url, headers = {}, body }: HttpRequest, proxy: HttpProxy | undefined): ClientRequest {
    const options = {
      method,
      host: bareHost(url.hostname),
      port: portOf(url),
      path: `${url.pathname}${url.search}`,
      headers: {
        'user-agent': 'nslab',
        // What is hashed must be what was stored.
        'accept-encoding': 'identity',
        ...(body === undefined ? {} : { 'content-length': String(body.length) }),
        ...headers,
        host: url.host,
      },
    };
    if (url.protocol === 'https:')
      return httpsRequest({ ...options, agent: this.#agentFor(url.host, proxy) });
    if (proxy === undefined) return httpRequest({ ...options, agent: this.#plain });
    return this.#askProxy(options, url, proxy);
  }

  /** Plain HTTP is asked of the proxy itself, by the whole address (RFC 9112, section 3.2.2). */
  #askProxy(
    options: ClientRequestArgs & { readonly headers: object },
    url: URL,
    proxy: HttpProxy,
  ): ClientRequest {
    const proxied = {
      ...options,
      ...addressOf(proxy),
      path: `${url.origin}${options.path}`,
      headers: { ...options.headers, ...proxyHeaders(proxy) },
    };
    return proxy.protocol === 'https:'
      ? httpsRequest({ ...proxied, agent: this.#agentFor(proxy.host, undefined) })
      : httpRequest({ ...proxied, agent: this.#plain });
  }

  #agentFor(host: string, proxy: HttpProxy | undefined): HttpsAgent {
    const known = this.#secure.get(host);
    if (known !== undefined) return known;
    const { stallMs, tlsOf } = this.#options;
    const options = { keepAlive: true, maxSockets: 16, ...tlsOptions(tlsOf(host)) };
    const agent =
      proxy === undefined
        ? new HttpsAgent(options)
        : new TunnelAgent({ ...options, proxy, proxyTls: tlsOf(proxy.host), stallMs });
    this.#secure.set(host, agent);
    return agent;
  }
}

/** Calls back when nothing has happened for so long. */
class Watch {
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number, onSilence: () => void) {
    this.#timer = setTimeout(onSilence, ms);
  }

  happened(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Sends the body and waits for the head of the answer, which may come before all is sent. */
async function answerTo(
  message: ClientRequest,
  body: Body | undefined,
  watch: Watch,
): Promise<IncomingMessage> {
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    message.on('response', resolve).on('error', reject);
    // A connection that ends without a word is an error for Node only when a request stood alone on it.
    message.on('close', () => reject(new Fault('broken', 'the connection broke', { transient: true })));
  });
  message.on('socket', (socket) => socket.on('connect', () => watch.happened()));
  if (body === undefined) {
    message.end();
    return await answer;
  }
  const answered = answer.then(
    () => true,
    () => true,
  );
  const sent = send(message, body, { watch, answered });
  // A failure of reading what is to be sent is not one of the connection.
  sent.catch((error) => message.destroy(error as Error));
  return await Promise.race([answer, sent.then(() => answer)]);
}

type Sending = { readonly watch: Watch; readonly answered: Promise<boolean> };

async function send(message: ClientRequest, body: Body, { watch, answered }: Sending): Promise<void> {
  for await (const chunk of body.read()) {
    if (!message.write(chunk)) {
      const drained = new Promise<boolean>((resolve) => message.once('drain', () => resolve(false)));
      // A refusal in the middle: the rest need not be sent.
      if (await Promise.race([answered, drained])) return;
    }
    watch.happened();
  }
  message.end();
}

function responseOf(
  message: IncomingMessage,
  { stallMs, signal }: { readonly stallMs: number; readonly signal: AbortSignal },
): HttpResponse {
  // An answer that nobody reads may break; that must not end the process.
  message.on('error', () => undefined);
  const headers = (name: string): readonly string[] => message.headersDistinct[name] ?? [];
  return {
    status: message.statusCode ?? 0,
    headers,
    header: (name) => headers(name)[0],
    body: () => bytesOf(message, { stallMs, signal }),
    discard: () => discard(message),
  };
}

/** The watch runs only while bytes are waited for: whoever takes them may be slow. */
async function* bytesOf(
  message: IncomingMessage,
  { stallMs, signal }: { readonly stallMs: number; readonly signal: AbortSignal },
): AsyncGenerator<Buffer, void, undefined> {
  const chunks = message[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let ended = false;
  try {
    for (;;) {
      const watch = new Watch(stallMs, () => message.destroy(stalled(stallMs)));
      const next = await chunks.next().finally(() => watch.stop());
      if (next.done === true) break;
      yield next.value;
    }
    ended = true;
    // Node ends the stream of an answer that was cut off like any other in some cases.
    if (!message.complete) throw new Fault('broken', 'the answer ended too early', { transient: true });
  } catch (error) {
    throw signal.aborted ? new Fault('aborted', 'interrupted') : faultOf(error);
  } finally {
    // Also one that has arrived and that nobody has taken: its connection would never be free again.
    if (!ended) message.destroy();
  }
}

/** A short rest is read, so that the connection can be used again; a long one is not worth it. */
function discard(message: IncomingMessage): void {
  let length = 0;
  message.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > MOST_DISCARDED) message.destroy();
  });
}

/**
 * A whole body of at most `max` bytes.
 * @throws Fault, `answer` where it has more
 */
export async function readAll(
  response: HttpResponse,
  { max, deadlineMs }: { readonly max: number; readonly deadlineMs: number },
): Promise<Buffer> {
  const encoding = response.header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    response.discard();
    throw new Fault(
      'answer',
      `it sent a document packed with ${JSON.stringify(encoding)}, which was not asked for`,
    );
  }
  const tooLong = new Fault('answer', `it sent a document of more than ${max} bytes`);
  if (Number(response.header('content-length') ?? 0) > max) {
    response.discard();
    throw tooLong;
  }
  const end = performance.now() + deadlineMs;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body()) {
    length += chunk.length;
    if (length > max) throw tooLong;
    // A byte now and then would keep it from stalling for ever.
    if (performance.now() > end)
      throw new Fault('stalled', `a document did not end within ${deadlineMs / 1000} s`, { transient: true });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
