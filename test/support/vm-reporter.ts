// The reporter of node:test inside the virtual machine: one line of JSON for each test that ended, led in by a character that no
// test prints, since what tests and their children print comes the same way. Read by vm.ts, outside.

import type { TestEvent as Event } from 'node:test/reporters';
import { outcomeOf } from './tally.ts';

/** Record separator. */
export const MARK = '\u001e';

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter by its default export
export default async function* report(source: AsyncIterable<Event>): AsyncGenerator<string> {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const outcome = outcomeOf(data);
    if (outcome !== undefined) yield `\n${MARK}${JSON.stringify(outcome)}\n`;
  }
}
