// How places are called to a reader.

import type { Place } from '../model/lab.ts';

/** The machine itself is `host`, as in the file. */
export function placeName(place: Place): string {
  return place ?? 'host';
}
