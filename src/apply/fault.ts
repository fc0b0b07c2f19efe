// A place to be killed at, for the tests of the promise that `down` cleans up after SIGKILL at any op. NSLAB_FAULT is
// `up:before:17`, `apply:after:17`, `down:before:3`, ...; `run:before:0` and `run:after:0` are the command of `nslab run`. Without it
// nothing of this runs.

export type Fault = {
  readonly verb: 'up' | 'apply' | 'down' | 'run';
  readonly when: 'before' | 'after';
  readonly index: number;
};

/** Reads NSLAB_FAULT. Anything else than the form above is no fault. */
export function parseFault(text: string | undefined): Fault | undefined {
  const match = /^(up|apply|down|run):(before|after):([0-9]+)$/.exec(text ?? '');
  if (match === null) return undefined;
  return { verb: match[1] as Fault['verb'], when: match[2] as Fault['when'], index: Number(match[3]) };
}

/** Ends this process as a power cut would: no handler, no cleanup. */
export function killAtFault(fault: Fault | undefined, here: Fault): void {
  if (
    fault === undefined ||
    fault.verb !== here.verb ||
    fault.when !== here.when ||
    fault.index !== here.index
  )
    return;
  process.kill(process.pid, 'SIGKILL');
  // The signal is delivered when the system call returns, so this line is not reached.
  throw new Error('survived SIGKILL');
}
