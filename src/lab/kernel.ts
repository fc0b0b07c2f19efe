// Where a use case gets its kernel from: the machine, and only when it is really needed, because loading koffi and opening
// sockets costs more than all the rest of a short command.

import { NslabError } from '../base/error.ts';
import type { Kernel } from '../kernel/port.ts';

/**
 * The machine's kernel.
 * @throws NslabError HOST_NOT_ROOT
 */
export async function openKernel(verb: string): Promise<Kernel> {
  assertRoot(verb);
  const { LinuxKernel } = await loadKernel();
  return new LinuxKernel();
}

/** The code of it, which a startup snapshot holds already. */
export async function loadKernel() {
  return await import('../kernel/linux.ts');
}

/** @throws NslabError HOST_NOT_ROOT */
export function assertRoot(verb: string): void {
  if (process.geteuid?.() === 0) return;
  throw new NslabError('HOST_NOT_ROOT', `nslab ${verb} must be run as root`, {
    hint: 'put sudo before the command',
  });
}
