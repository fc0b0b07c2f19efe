// `nslab explain FILE` prints the lab as commands; `nslab explain CODE` an entry of the error catalogue.

import { NslabError } from '../../base/error.ts';
import { type ErrorCode, errorCatalogue } from '../../base/error-catalogue.ts';
import { load } from '../../lab/load.ts';
import { explainText } from '../../lab/plan.ts';
import { printWarnings } from '../output/warnings.ts';

type Args = { file: string; prefix?: string; var?: string[]; down: boolean };

export async function run({ file, prefix, var: vars, down }: Args): Promise<void> {
  if (/^[A-Z][A-Z0-9_]+$/.test(file)) {
    explainCode(file);
    return;
  }
  const { lab, warnings } = load({ path: file, prefix, vars });
  await printWarnings(warnings);
  process.stdout.write(explainText(lab, down ? 'down' : 'up'));
}

function explainCode(code: string): void {
  if (!Object.hasOwn(errorCatalogue, code)) {
    throw new NslabError('USAGE', `there is no error code ${code}`, {
      hint: `the codes are ${Object.keys(errorCatalogue).join(', ')}`,
    });
  }
  const { exit, explanation } = errorCatalogue[code as ErrorCode];
  process.stdout.write(`${code} (exit status ${exit})\n\n${wrap(explanation)}\n`);
}

/** Words in lines of 80 columns at most. */
function wrap(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > 80) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join('\n');
}
