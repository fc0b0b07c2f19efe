// What nslab writes down before it touches the kernel, so that any later process can take the lab down: without the file,
// after a SIGKILL at any moment, or by a newer nslab. Only data and its codec; store.ts reads and writes it.

import type { LabName } from '../base/names.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { UndoFacts } from '../plan/undo.ts';

/** Raised whenever an older nslab could not undo what a newer one recorded. */
export const RECORD_VERSION = 2;

/** Labs of that version had none. */
const BEFORE_CONTAINERS = 1;

export type LabRecord = {
  readonly version: typeof RECORD_VERSION;
  readonly lab: LabName;
  readonly prefix: string;
  /** The topology file's absolute path, or `-` for standard input. */
  readonly file: string;
  /** sha256 of the lab as data: two files that mean the same have the same. */
  readonly digest: string;
  readonly phase: 'rising' | 'up' | 'falling';
  /** ISO 8601. */
  readonly at: string;
  /** /proc/sys/kernel/random/boot_id: a record of an earlier boot describes nothing that still exists. */
  readonly boot: string;
  readonly nodes: number;
  readonly links: number;
  /** Made by `run` or `create`: a lab of one container, which has its name and which `rm` removes. */
  readonly solo?: { readonly remove: boolean };
  readonly undo: UndoFacts;
};

export function parseRecord(text: string): Result<LabRecord> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err('is not JSON');
  }
  if (typeof value !== 'object' || value === null || !('version' in value)) return err('is not a record');
  if (value.version === BEFORE_CONTAINERS) return ok(withoutContainers(value as LabRecord));
  if (value.version !== RECORD_VERSION)
    return err(`has version ${String(value.version)}, this nslab reads ${RECORD_VERSION}`);
  return ok(value as LabRecord);
}

function withoutContainers(record: LabRecord): LabRecord {
  return { ...record, version: RECORD_VERSION, undo: { ...record.undo, containers: [] } };
}
