// Reads single values out of a node's container keys. The topology has checked them; where somebody else made them (`nslab run`),
// what is wrong is still said in the same words.

import { NslabError } from '../base/error.ts';
import type { Result } from '../base/result.ts';
import { parseDuration, parseSize } from '../base/units.ts';

/** The value, or the mistake thrown. @throws NslabError VALUE_INVALID */
export function must<T>(result: Result<T, string | { readonly message: string; readonly hint?: string }>): T {
  if (result.ok) return result.value;
  const { error } = result;
  if (typeof error === 'string') throw new NslabError('VALUE_INVALID', error);
  throw new NslabError('VALUE_INVALID', error.message, { hint: error.hint });
}

export function bytesOf(value: string | number | undefined): number | undefined {
  return value === undefined ? undefined : must(parseSize(value));
}

/** Milliseconds. */
export function durationOf(value: string | number | undefined, otherwise: number): number {
  return value === undefined ? otherwise : Math.round(must(parseDuration(value)) / 1000);
}

export function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
