// One blob into a registry (distribution-spec, "Pushing blobs"): nothing where it has it, mounted from another repository where that
// one has it, else uploaded: a small one with one PUT, a large one in chunks, so that a broken connection costs one chunk.

import type { Digest } from '../digest.ts';
import type { Answer, Exchange } from './exchange.ts';
import { Fault } from './fault.ts';
import type { Body } from './http.ts';
import { type RetryPolicy, retrying } from './retry.ts';

export type UploadedBlob = {
  readonly digest: Digest;
  readonly size: number;
  /** The bytes from `start` to before `end`. */
  readonly read: (start: number, end: number) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
};

export type UploadHooks = {
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal;
  /** Bytes of one request; more than that goes in chunks. */
  readonly chunk: number;
  /** Another repository of this registry that should have it. */
  readonly mountFrom: string | undefined;
  readonly onProgress: (done: number) => void;
  readonly onRetry: (fault: Fault, pauseMs: number) => void;
};

export type UploadOutcome = 'there' | 'mounted' | 'uploaded';

/** Large enough to be one request for most layers, small enough to send again. */
export const UPLOAD_CHUNK = 64 << 20;
/** What a registry may ask for (OCI-Chunk-Min-Length). */
const MOST_CHUNK = 1 << 30;

/** @throws Fault */
export async function uploadBlob(
  exchange: Exchange,
  blob: UploadedBlob,
  hooks: UploadHooks,
): Promise<UploadOutcome> {
  const { retry, signal, onRetry } = hooks;
  const upload = new Upload(exchange, blob, hooks);
  return await retrying(retry, { signal, onRetry, progress: () => upload.most }, () => upload.run());
}

class Upload {
  readonly #exchange: Exchange;
  readonly #blob: UploadedBlob;
  readonly #hooks: UploadHooks;
  /** Where it goes on; undefined before the first request and when the registry has lost it. */
  #location: URL | undefined;
  #chunk: number;
  #offset = 0;
  /** The most that the registry ever said it has. */
  most = 0;
  #mount = true;

  constructor(exchange: Exchange, blob: UploadedBlob, hooks: UploadHooks) {
    this.#exchange = exchange;
    this.#blob = blob;
    this.#hooks = hooks;
    this.#chunk = hooks.chunk;
  }

  async run(): Promise<UploadOutcome> {
    const { size } = this.#blob;
    if (this.#location === undefined) {
      if (await this.#isThere()) return 'there';
      if (await this.#begin()) return 'mounted';
    } else if (!(await this.#resume())) {
      throw new Fault('broken', 'the registry has lost what was uploaded', { transient: true });
    }
    try {
      while (size > this.#chunk && this.#offset < size) await this.#patch();
      await this.#finish();
    } catch (error) {
      // BLOB_UPLOAD_UNKNOWN: not the repository is unknown, which took the POST, but what was begun there.
      if (!(error instanceof Fault) || error.status !== 404) throw error;
      this.#location = undefined;
      throw new Fault('broken', 'the registry has lost what was uploaded', { transient: true, cause: error });
    }
    return 'uploaded';
  }

  async #isThere(): Promise<boolean> {
    const answer = await this.#ask({ method: 'HEAD', to: `blobs/${this.#blob.digest}`, expect: [200, 404] });
    answer.discard();
    return answer.status === 200;
  }

  /** True when nothing need be uploaded. */
  async #begin(): Promise<boolean> {
    const { digest } = this.#blob;
    const from = this.#mount ? this.#hooks.mountFrom : undefined;
    this.#mount = false;
    const query = from === undefined ? '' : `?${new URLSearchParams({ mount: digest, from })}`;
    const expect = from === undefined ? [202] : [201, 202];
    const answer = await this.#ask({ method: 'POST', to: `blobs/uploads/${query}`, expect });
    answer.discard();
    if (answer.status === 201) return true;
    this.#follow(answer);
    const least = Number(answer.header('oci-chunk-min-length') ?? 0);
    if (Number.isSafeInteger(least) && least > this.#chunk) this.#chunk = Math.min(least, MOST_CHUNK);
    this.#offset = 0;
    return false;
  }

  #follow(answer: Answer): void {
    this.#location = this.#exchange.resolve(answer.header('location'), answer.url);
  }

  /** Asks how much arrived. False when the registry does not know of it any more. */
  async #resume(): Promise<boolean> {
    const to = this.#location;
    this.#location = undefined;
    if (to === undefined || this.#blob.size <= this.#chunk) return this.#lost();
    const answer = await this.#ask({ method: 'GET', to, expect: [204, 404, 400, 405] });
    answer.discard();
    if (answer.status !== 204) return this.#lost();
    this.#offset = receivedOf(answer, this.#blob.size);
    this.#location =
      answer.header('location') === undefined
        ? to
        : this.#exchange.resolve(answer.header('location'), answer.url);
    this.#made(this.#offset);
    return true;
  }

  /** One PUT takes no part: it begins anew, and that is no failure of the registry. */
  async #lost(): Promise<boolean> {
    return !(await this.#begin());
  }

  #made(offset: number): void {
    this.most = Math.max(this.most, offset);
    this.#hooks.onProgress(offset);
  }

  async #patch(): Promise<void> {
    const to = this.#to();
    const [start, end] = [this.#offset, Math.min(this.#blob.size, this.#offset + this.#chunk)];
    const answer = await this.#ask({
      method: 'PATCH',
      to,
      headers: { 'content-type': 'application/octet-stream', 'content-range': `${start}-${end - 1}` },
      body: this.#body(start, end),
      expect: [202],
    });
    answer.discard();
    const received = receivedOf(answer, this.#blob.size);
    if (received !== end) {
      throw new Fault('answer', `it has ${received} bytes after ${end} were sent`, { transient: true });
    }
    this.#follow(answer);
    this.#offset = end;
    this.#made(end);
  }

  async #finish(): Promise<void> {
    const { digest, size } = this.#blob;
    const to = this.#to();
    to.searchParams.set('digest', digest);
    const answer = await this.#ask({
      method: 'PUT',
      to,
      headers: { 'content-type': 'application/octet-stream' },
      body: this.#body(this.#offset, size),
      expect: [201, 204],
    });
    answer.discard();
    const said = answer.header('docker-content-digest');
    if (said?.startsWith('sha256:') && said !== digest)
      throw new Fault('digest', `it calls ${said} what was pushed as ${digest}`);
    this.#made(size);
  }

  #to(): URL {
    if (this.#location === undefined) throw new Error('an upload that has not begun');
    return new URL(this.#location);
  }

  #body(start: number, end: number): Body {
    const { read } = this.#blob;
    const { onProgress } = this.#hooks;
    return {
      length: end - start,
      read: async function* () {
        let done = start;
        if (end === start) return;
        for await (const chunk of read(start, end)) {
          yield chunk;
          done += chunk.length;
          onProgress(done);
        }
      },
    };
  }

  #ask(ask: Omit<Parameters<Exchange['ask']>[0], 'what' | 'signal'>): Promise<Answer> {
    return this.#exchange.ask({ ...ask, what: `the layer ${this.#blob.digest}`, signal: this.#hooks.signal });
  }
}

/** `Range: 0-1023` means that 1024 bytes are there; an upload that has begun says `0-0` of none and of one. */
function receivedOf(answer: Answer, size: number): number {
  const last = /^(?:bytes=)?0-([0-9]{1,16})$/.exec(answer.header('range') ?? '')?.[1];
  const received = last === undefined || last === '0' ? 0 : Number(last) + 1;
  if (received > size) throw new Fault('answer', `it says it has ${received} bytes of ${size}`);
  return received;
}
