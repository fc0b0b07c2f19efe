// One blob from a registry into the store: GET /v2/PATH/blobs/DIGEST (distribution-spec, "Pulling blobs"), going on where it was cut
// off (RFC 9110 14, range requests). The store's writer hashes; here no byte more than announced is taken.

import { NslabError } from '../../base/error.ts';
import type { BlobWriter } from '../blobs.ts';
import type { Digest } from '../digest.ts';
import type { Answer, Exchange } from './exchange.ts';
import { Fault } from './fault.ts';
import { type RetryPolicy, retrying } from './retry.ts';

export type WantedBlob = { readonly digest: Digest; readonly size: number };

export type DownloadHooks = {
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal;
  /** Undefined when the blob is in the store by now. */
  readonly openWriter: () => Promise<BlobWriter | undefined>;
  readonly onProgress: (done: number) => void;
  readonly onRetry: (fault: Fault, pauseMs: number) => void;
};

/** False when it was there. @throws Fault, NslabError IMAGE_STORE */
export async function downloadBlob(
  exchange: Exchange,
  blob: WantedBlob,
  hooks: DownloadHooks,
): Promise<boolean> {
  // What an earlier process left may be bad; then all of it comes anew, and once more must do.
  for (let again = false; ; again = true) {
    await using writer = await hooks.openWriter();
    if (writer === undefined) return false;
    const found = writer.offset;
    await fillWriter(exchange, { blob, writer }, hooks);
    try {
      await writer.commit();
      return true;
    } catch (error) {
      if (!(error instanceof NslabError) || error.code !== 'IMAGE_BROKEN') throw error;
      if (found > 0 && !again) continue;
      throw new Fault('digest', `it sent ${blob.size} bytes for ${blob.digest} that have another digest`, {
        cause: error,
      });
    }
  }
}

type Filling = { readonly blob: WantedBlob; readonly writer: BlobWriter };

async function fillWriter(
  exchange: Exchange,
  { blob, writer }: Filling,
  hooks: DownloadHooks,
): Promise<void> {
  // The most that was ever there, so that a server that breaks at the same byte each time brings no progress.
  let most = writer.offset;
  let ranges = true;
  hooks.onProgress(writer.offset);
  const trial = { signal: hooks.signal, progress: () => most, onRetry: hooks.onRetry };
  await retrying(hooks.retry, trial, async () => {
    if (writer.offset === blob.size) return;
    const from = ranges ? writer.offset : 0;
    const answer = await exchange.ask({
      method: 'GET',
      signal: hooks.signal,
      to: `blobs/${blob.digest}`,
      headers: from > 0 ? { range: `bytes=${from}-` } : {},
      expect: [200, 206, 416],
      what: `the layer ${blob.digest}`,
    });
    const start = startOf(answer, { from, size: blob.size });
    if (start !== writer.offset) {
      // The whole is sent, or some other part: what is there is of no use.
      await writer.restart();
      hooks.onProgress(0);
    }
    if (start === undefined) {
      answer.discard();
      ranges = false;
      throw new Fault('answer', 'it sent another part than was asked for', { transient: true });
    }
    await take(answer, { blob, writer }, (done) => {
      most = Math.max(most, done);
      hooks.onProgress(done);
    });
  });
}

/** The first byte that the answer has; undefined when it is not one that can be gone on with. */
function startOf(answer: Answer, { from, size }: { from: number; size: number }): number | undefined {
  if (answer.status === 200) return 0;
  if (answer.status === 416 || from === 0) return undefined;
  const [, start, end, total] =
    /^bytes ([0-9]{1,16})-([0-9]{1,16})\/([0-9]{1,16}|\*)$/.exec(answer.header('content-range') ?? '') ?? [];
  const fits = Number(start) === from && Number(end) < size && (total === '*' || Number(total) === size);
  return fits ? from : undefined;
}

async function take(
  answer: Answer,
  { blob: { digest, size }, writer }: Filling,
  onProgress: (done: number) => void,
): Promise<void> {
  const announced = answer.header('content-length');
  const rest = size - writer.offset;
  if (answer.status === 200 && announced !== undefined && Number(announced) !== rest) {
    answer.discard();
    throw new Fault('digest', `it has ${announced} bytes for ${digest}, and the manifest says ${size}`);
  }
  for await (const chunk of answer.body()) {
    if (writer.offset + chunk.length > size) {
      // A part that is longer than the blob would be no part of it.
      await writer.restart();
      throw new Fault('digest', `it sends more bytes for ${digest} than the ${size} of the manifest`);
    }
    await writer.write(chunk);
    onProgress(writer.offset);
  }
  if (writer.offset < size) {
    throw new Fault('broken', `the answer ended after ${writer.offset} of ${size} bytes`, {
      transient: true,
    });
  }
}
