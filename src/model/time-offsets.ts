// `time_offsets` of a container: clocks that began at another time than the machine's. time_namespaces(7).

import { err, ok, type Result } from '../base/result.ts';
import { parseDuration } from '../base/units.ts';
import type { TimeOffsetOptions } from './container-options.ts';
import type { TextProblem } from './container-text.ts';

/** runtime-spec, config-linux.md "Time offset": nanoseconds are never negative, so -1.5 s is -2 s and 500 ms. */
export type TimeOffset = { readonly secs: number; readonly nanosecs: number };

/** Those of the two clocks that have one. */
export type TimeOffsets = { readonly monotonic?: TimeOffset; readonly boottime?: TimeOffset };

/** `1h`, `-90s`. */
export function parseTimeOffset(text: string): Result<TimeOffset, TextProblem> {
  const behind = text.startsWith('-');
  const read = parseDuration(behind ? text.slice(1) : text);
  if (!read.ok)
    return err({
      message: read.error.message,
      ...(read.error.hint === undefined ? {} : { hint: read.error.hint }),
    });
  const microseconds = behind ? -read.value : read.value;
  const secs = Math.floor(microseconds / 1e6);
  return ok({ secs, nanosecs: (microseconds - secs * 1e6) * 1000 });
}

/** Undefined without any. The texts were checked when the file was read. */
export function timeOffsets(options: TimeOffsetOptions | undefined): TimeOffsets | undefined {
  const offsetOf = (text: string | undefined): TimeOffset | undefined => {
    const read = text === undefined ? undefined : parseTimeOffset(text);
    return read?.ok === true ? read.value : undefined;
  };
  const [monotonic, boottime] = [offsetOf(options?.monotonic), offsetOf(options?.boottime)];
  if (monotonic === undefined && boottime === undefined) return undefined;
  return {
    ...(monotonic === undefined ? {} : { monotonic }),
    ...(boottime === undefined ? {} : { boottime }),
  };
}
