// Doing several things at once, so many at a time. The first failure ends the others, and nothing is left running.

/** Runs tasks with at most `width` at a time. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(width: number) {
    this.#free = width;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await task();
    } finally {
      // The place goes from hand to hand, so that nobody who comes now is before those who wait.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/**
 * All of them, each with a signal that ends it when another one has failed or `signal` says so. Throws the first failure, when all
 * have ended.
 */
export async function together(
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  let first: { readonly reason: unknown } | undefined;
  await Promise.all(
    tasks.map(async (task) => {
      try {
        await task(both);
      } catch (reason) {
        first ??= { reason };
        stop.abort();
      }
    }),
  );
  if (first !== undefined) throw first.reason;
}
