// Connections to a host behind a proxy: CONNECT (RFC 9110, section 9.3.6) asks it for a way through, and TLS goes from end to end, so the
// proxy sees neither names nor passwords nor what is sent.

import { type ClientRequest, type ClientRequestArgs, request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Fault, faultOf, stalled } from './fault.ts';
import { bareHost } from './hosts.ts';
import type { HttpProxy } from './proxy.ts';
import { type HostTls, tlsOptions } from './tls.ts';

type TunnelOptions = ConstructorParameters<typeof Agent>[0] & {
  readonly proxy: HttpProxy;
  /** For a proxy that is itself spoken to by TLS. */
  readonly proxyTls: HostTls;
  /** So long may the proxy take. */
  readonly stallMs: number;
};

type OnSocket = (error: Error | null, socket: Duplex) => void;

/** An agent whose connections go through a proxy. */
export class TunnelAgent extends Agent {
  readonly #tunnel: TunnelOptions;
  readonly #opening = new Set<ClientRequest>();

  constructor(options: TunnelOptions) {
    super(options);
    this.#tunnel = options;
  }

  override createConnection(options: ClientRequestArgs, done?: OnSocket): undefined {
    this.#open(`${bracketed(String(options.host))}:${options.port}`).then(
      // The host's own certificate and name are looked at as without a proxy.
      (socket) => done?.(null, super.createConnection({ ...options, socket } as ClientRequestArgs) as Duplex),
      (error: Error) => done?.(error, undefined as unknown as Duplex),
    );
  }

  override destroy(): void {
    for (const request of this.#opening) request.destroy();
    super.destroy();
  }

  /** @throws Fault */
  async #open(target: string): Promise<Socket> {
    const { proxy, proxyTls, stallMs } = this.#tunnel;
    const options = {
      method: 'CONNECT',
      ...addressOf(proxy),
      path: target,
      headers: { host: target, 'user-agent': 'nslab', ...proxyHeaders(proxy) },
      agent: false as const,
    };
    const request =
      proxy.protocol === 'https:'
        ? httpsRequest({ ...options, ...tlsOptions(proxyTls) })
        : httpRequest(options);
    this.#opening.add(request);
    const timer = setTimeout(() => request.destroy(stalled(stallMs)), stallMs);
    try {
      return await wayThrough(request, proxy);
    } catch (error) {
      request.destroy();
      throw proxyFault(error, proxy);
    } finally {
      clearTimeout(timer);
      this.#opening.delete(request);
    }
  }
}

/** Where a request to the proxy goes, and whom its certificate is for: Node would take that from the header Host. */
export function addressOf({ hostname, port }: HttpProxy) {
  const host = bareHost(hostname);
  return { host, port, servername: isIP(host) === 0 ? host : '' };
}

/** Who we are to the proxy, which no host behind it is told. */
export function proxyHeaders({ authorization }: HttpProxy): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { 'proxy-authorization': authorization };
}

/** A failure between us and the proxy, with whom it was. */
export function proxyFault(error: unknown, proxy: HttpProxy): Fault {
  const fault = faultOf(error);
  if (fault.kind === 'aborted') return fault;
  return new Fault(fault.kind, `the proxy ${proxy.host} (${proxy.variable}): ${fault.message}`, {
    transient: fault.transient,
    waitMs: fault.waitMs,
    hint: fault.hint,
    cause: error,
    ...(fault.status === undefined ? {} : { status: fault.status }),
  });
}

/** A proxy that wants to know who asks. Not a 401: `nslab login` would not help. */
export function wantsPassword({ variable, protocol, host, authorization }: HttpProxy, status = 407): Fault {
  const text =
    authorization === undefined
      ? 'it asks for a name and a password'
      : 'it refuses the name and the password';
  return new Fault('unreachable', `${text} (${status})`, {
    hint: `${variable}=${protocol}//NAME:PASSWORD@${host}`,
  });
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

async function wayThrough(request: ClientRequest, proxy: HttpProxy): Promise<Socket> {
  return await new Promise<Socket>((resolve, reject) => {
    request.on('error', reject);
    request.on('close', () => reject(new Fault('broken', 'the connection broke', { transient: true })));
    // Node has one event for a way through and for a refusal, whose body is not of interest.
    request.on('connect', ({ statusCode = 0, statusMessage = '' }, socket: Socket, head) => {
      if (statusCode >= 200 && statusCode < 300) {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(refusal(statusCode, statusMessage, proxy));
    });
    request.end();
  });
}

function refusal(status: number, words: string, proxy: HttpProxy): Fault {
  // tinyproxy says 401.
  if (status === 407 || status === 401) return wantsPassword(proxy, status);
  const said = `${status} ${words.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)}`.trim();
  // Gateway errors: it did not reach the host, this time.
  if (status >= 500) return new Fault('unreachable', `it does not get there: ${said}`, { transient: true });
  return new Fault('unreachable', `it does not let us through: ${said}`);
}
