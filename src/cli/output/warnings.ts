// Problems that stop nothing, on standard error. What draws them is loaded only when there are some.

import type { Problem } from '../../base/error.ts';
import { visible } from './visible.ts';

export async function printWarnings(warnings: readonly Problem[]): Promise<void> {
  if (warnings.length === 0) return;
  const [{ useColour }, { readSource }, { renderProblems }] = await Promise.all([
    import('./colour.ts'),
    import('./failure.ts'),
    import('./problem.ts'),
  ]);
  const colour = useColour(process.stderr);
  process.stderr.write(renderProblems(warnings, { colour, readSource }));
}

/** What the machine cannot grant a container. */
export function printNotes(notes: readonly string[] = []): void {
  for (const note of notes) process.stderr.write(`warning: ${visible(note)}\n`);
}
