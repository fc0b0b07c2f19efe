// Optional keys of plain data under exactOptionalPropertyTypes, where a key that is there may not be undefined.

/** The object without its undefined keys. */
export function given<T extends object>(literal: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const result: Partial<T> = {};
  for (const key in literal) if (literal[key] !== undefined) result[key] = literal[key];
  return result as { [K in keyof T]?: Exclude<T[K], undefined> };
}
