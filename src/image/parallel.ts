// A few at a time: what waits for the disk and what waits for a processor go on beside each other, and memory stays bounded.

/** Two processors unpack and one reads. */
export const LAYERS_AT_ONCE = 3;

export type ParallelRequest = { readonly limit: number; readonly signal?: AbortSignal | undefined };

/**
 * Runs all of them, or until one fails: the others are told by their signal, and have ended when this throws.
 * @throws what the first of them threw
 */
export async function inParallel<T>(
  items: readonly T[],
  { limit, signal }: ParallelRequest,
  run: (item: T, index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const queue = items.entries();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (both.aborted) return;
      try {
        await run(item, index, both);
      } catch (error) {
        failures.push(error);
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  if (failures.length > 0) throw failures[0];
  signal?.throwIfAborted();
}
