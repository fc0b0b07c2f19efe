// What a wire does to packets, in the words of tc-netem(8): for pictures, tables and commands.

import { durationText, percentText, rateText } from '../base/units.ts';
import type { Impairment } from './lab.ts';

/** Its options one by one, each with its word and values: `['delay', '20ms', '2ms']`, `['loss', '1%']`. */
export function impairmentOptions(impairment: Impairment): string[][] {
  const { delay, jitter, loss, corrupt, duplicate, reorder, rate, limit } = impairment;
  const options: string[][] = [];
  if (limit !== undefined) options.push(['limit', String(limit)]);
  if (delay !== undefined) {
    options.push(['delay', durationText(delay), ...(jitter === undefined ? [] : [durationText(jitter)])]);
  }
  const chances = { loss, corrupt, duplicate, reorder };
  for (const [word, chance] of Object.entries(chances)) {
    if (chance !== undefined) options.push([word, percentText(chance)]);
  }
  if (rate !== undefined) options.push(['rate', rateText(rate)]);
  return options;
}
