// As much HTTP/1.1 as a test asks for: one GET, and of the answer its status and the beginning of its body. RFC 9112.

/** What of an address a request is made of. */
export type HttpTarget = {
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
};

/** `http://web:8080/x?y`; undefined for what is none, and for https, which is not spoken. */
export function parseHttpUrl(text: string): HttpTarget | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return undefined;
  }
  if (url.protocol !== 'http:' || url.hostname === '') return undefined;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 80 : Number(url.port),
    path: `${url.pathname}${url.search}`,
  };
}

/** The bytes of the request. */
export function httpRequest({ host, port, path }: HttpTarget): Uint8Array {
  const name = host.includes(':') ? `[${host}]` : host;
  const authority = port === 80 ? name : `${name}:${port}`;
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${authority}`,
    'User-Agent: nslab',
    'Accept: */*',
    'Connection: close',
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

export type HttpAnswer = { readonly status: number; readonly body: string };

/** The last answer in the bytes that came: those of status 1xx go before it. Undefined where there is none yet. */
export function parseHttpAnswer(bytes: Buffer): HttpAnswer | undefined {
  for (let from = 0; ; ) {
    const end = bytes.indexOf('\r\n\r\n', from);
    if (end < 0) return undefined;
    const head = bytes.toString('latin1', from, end);
    const status = Number(/^HTTP\/1\.[01] ([1-9][0-9]{2})(?: |\r\n|$)/.exec(head)?.[1]);
    if (!(status >= 100)) return undefined;
    from = end + 4;
    if (status < 200) continue;
    const body = bytes.subarray(from);
    const chunked = /\r\ntransfer-encoding:[^\r]*\bchunked\b/i.test(head);
    return { status, body: (chunked ? unchunk(body) : body).toString('utf8') };
  }
}

/** The chunks that are whole, and what is there of the last one. */
function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at);
    const size = end < 0 ? Number.NaN : Number.parseInt(body.toString('latin1', at, end), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
