// The launcher (src/helper/launch.c) starts Node with some variables of its own; programs that we start see the user's.

const KEPT = 'NSLAB_KEPT_';

/** Puts back the variables that the launcher replaced. */
export function restoreEnvironment(): void {
  for (const [kept, value] of Object.entries(process.env)) {
    if (!kept.startsWith(KEPT)) continue;
    delete process.env[kept];
    const name = kept.slice(KEPT.length);
    if (value === undefined || value === '') delete process.env[name];
    else process.env[name] = value;
  }
}
