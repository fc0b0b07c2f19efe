// In the place of node:assert inside the bundle (see build.ts): the two functions that yargs calls.

export function strictEqual(actual: unknown, expected: unknown, message?: string): void {
  if (!Object.is(actual, expected))
    throw new Error(message ?? `${String(actual)} is not ${String(expected)}`);
}

export function notStrictEqual(actual: unknown, expected: unknown, message?: string): void {
  if (Object.is(actual, expected)) throw new Error(message ?? `${String(actual)} is what it must not be`);
}
