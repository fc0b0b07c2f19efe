// What is seen of images that `up`, `run` and `create` pull on their way. All of it goes to standard error, or with `--json` as lines to
// standard output: the answer of those commands is another.

import type { BringEvent } from '../../lab/image-pull.ts';
import { transferDisplay } from './transfer.ts';
import { visible } from './visible.ts';

export type BringDisplay = {
  readonly event: (event: BringEvent) => void;
  /** Also after a failure. */
  readonly end: () => void;
};

export function bringDisplay({ json }: { readonly json: boolean }): BringDisplay {
  const display = transferDisplay({ quiet: false, json });
  const say = (text: string): void => {
    display.end();
    process.stderr.write(`${text}\n`);
  };
  return {
    event: (event) => {
      if (event.type !== 'pulling' && event.type !== 'pulled') display.event(event);
      else if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
      else if (event.type === 'pulled') say(`image ${visible(event.name)} is here`);
      else
        say(`image ${visible(event.name)} is ${event.isThere ? 'asked for again' : 'not here: pulling it'}`);
    },
    end: () => display.end(),
  };
}
