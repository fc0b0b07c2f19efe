// A proxy on loopback for tests, as squid is one: CONNECT, and whole addresses for plain HTTP. It alone knows where the hosts are,
// so whoever reaches one of them has come through it.

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';

/** Answers by itself, as badly as it likes, and returns true. */
export type ConnectIntercept = (socket: Duplex, target: string) => boolean;

export class TestProxy implements AsyncDisposable {
  /** `CONNECT host:port`, or `GET http://host:port/path`. */
  readonly asked: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  /** The header that it wants, when it wants one. */
  authorization: string | undefined;
  intercept: ConnectIntercept = () => false;
  readonly #server: Server;
  readonly #hosts: ReadonlyMap<string, number>;
  readonly #tunnels = new Set<Socket | Duplex>();

  private constructor(server: Server, hosts: ReadonlyMap<string, number>) {
    this.#server = server;
    this.#hosts = hosts;
  }

  /** `hosts` maps `name:port` to a port of loopback. */
  static async start(
    hosts: Readonly<Record<string, number>>,
    tls?: SecureContextOptions,
  ): Promise<TestProxy> {
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    const proxy = new TestProxy(server, new Map(Object.entries(hosts)));
    server.on('connect', (message, socket, head) => proxy.#connect(message, socket, head));
    server.on('request', (message, response) => proxy.#forward(message, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#tunnels) socket.destroy();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #note(message: IncomingMessage): boolean {
    this.asked.push(`${message.method} ${message.url}`);
    this.headers.push(message.headers);
    return this.authorization === undefined || message.headers['proxy-authorization'] === this.authorization;
  }

  #connect(message: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = message.url ?? '';
    this.#tunnels.add(socket);
    socket.on('error', () => undefined);
    if (!this.#note(message)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n');
      return;
    }
    if (this.intercept(socket, target)) return;
    const port = this.#hosts.get(target);
    if (port === undefined) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
      return;
    }
    const there = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      there.write(head);
      there.pipe(socket).pipe(there);
    });
    this.#tunnels.add(there);
    there.on('error', () => socket.destroy());
    there.on('close', () => socket.destroy());
    socket.on('close', () => there.destroy());
  }

  #forward(message: IncomingMessage, response: ServerResponse): void {
    if (!this.#note(message)) {
      response.writeHead(407).end();
      return;
    }
    const url = new URL(message.url ?? '');
    const port = this.#hosts.get(`${url.hostname}:${url.port === '' ? 80 : url.port}`);
    if (port === undefined) {
      response.writeHead(503).end();
      return;
    }
    const { method, headers } = message;
    const there = request({ port, method, headers, path: `${url.pathname}${url.search}` }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    there.on('error', () => response.destroy());
    message.pipe(there);
  }
}
