// `nslab doctor`: one line for each thing looked at, and below it what to do where something is missing.

import { exit } from '../../base/catalogue/entry.ts';
import { diagnose, type Finding, type Status } from '../../lab/doctor.ts';
import { readFacts } from '../../lab/doctor-facts.ts';
import { openKernel } from '../../lab/kernel.ts';
import { useColour } from '../output/colour.ts';
import { count } from '../output/count.ts';
import { visible } from '../output/visible.ts';

export async function run({ json, all }: { json: boolean; all: boolean }): Promise<void> {
  const kernel = process.geteuid?.() === 0 ? await openKernel('doctor') : undefined;
  try {
    const findings = diagnose(readFacts(kernel));
    if (json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
    else await print(findings, all);
    if (findings.some(({ status }) => status === 'fail')) process.exitCode = exit.host;
  } finally {
    kernel?.close();
  }
}

async function print(findings: readonly Finding[], all: boolean): Promise<void> {
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: useColour(process.stdout) ? 1 : 0 });
  const marks: Readonly<Record<Status, string>> = {
    ok: chalk.green('ok  '),
    warn: chalk.yellow('warn'),
    fail: chalk.red('fail'),
  };
  const width = Math.max(...findings.map(({ name }) => name.length));
  let area = '';
  for (const { area: of, name, status, detail, mend } of findings) {
    if (status === 'ok' && !all) continue;
    if (of !== area) process.stdout.write(`${of}\n`);
    area = of;
    process.stdout.write(`  ${marks[status]}  ${name.padEnd(width)}  ${visible(detail)}\n`);
    if (mend !== undefined) process.stdout.write(`        ${''.padEnd(width)}  ${visible(mend)}\n`);
  }
  const number = (wanted: Status) => findings.filter(({ status }) => status === wanted).length;
  const [warn, fail] = [number('warn'), number('fail')];
  const rest = all ? '' : '; --all lists them';
  process.stdout.write(
    `${count(number('ok'), 'thing')} well${rest}, ${count(warn, 'warning')}, ${fail === 0 ? 'nothing needed is missing' : `${fail} needed and missing`}\n`,
  );
}
