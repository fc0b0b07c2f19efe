// What is different where the tests run in the virtual machine of `npm run test:vm`, which may be an emulated one, ten to fifty
// times slower: fewer rounds of what is random or exhaustive, since the rounds run in full on a real machine, and more patience.
// Nothing else may differ: no test is left out and no assertion is weaker.

const inVm = process.env['NSLAB_IN_VM'] !== undefined;

/** How often something is done, here and in the virtual machine. */
export function rounds(here: number, virtual: number): number {
  return inVm ? virtual : here;
}

/** How long something that must happen may take, in milliseconds; not for what must not happen. */
export function patience(ms: number): number {
  return inVm ? 6 * ms : ms;
}
