// Takes a lab out of the machine, whatever state it is in: up, half made, half removed, its record missing, its folder from
// before a reboot. `down`, a failed `up` and `prune` all go through here. The caller holds the lab's lock.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { undoOps } from '../apply/apply.ts';
import type { UndoEvent } from '../apply/event.ts';
import type { Fault } from '../apply/fault.ts';
import { NslabError } from '../base/error.ts';
import { type LabName, type NetnsName, type NodeName, parseNodeName } from '../base/names.ts';
import type { Kernel } from '../kernel/port.ts';
import { describeUndo } from '../plan/describe.ts';
import { planDown, type UndoFacts, undoFactsOfNames } from '../plan/undo.ts';
import { CONTAINERS_VAR, containersDir, pinsDir } from '../state/paths.ts';
import type { LabRecord } from '../state/record.ts';
import {
  bootId,
  listLabs,
  lockHost,
  readRecord,
  removeLab,
  removeRunDir,
  writeRecord,
} from '../state/store.ts';

export type ClearRequest = {
  readonly lab: LabName;
  readonly kernel: Kernel;
  readonly onEvent?: (event: UndoEvent) => void;
  readonly fault?: Fault | undefined;
  /** The lab's folder stays, because the caller goes on to fill it. */
  readonly keepFolder?: boolean;
};

/**
 * Removes all that the record says may exist, and the record.
 * @throws NslabError APPLY_LEFT listing what could not be removed; the record stays then, so that `down` can try again
 */
export function clearLab(request: ClearRequest): void {
  const { lab, kernel, onEvent, fault } = request;
  const record = readRecordOfAnyVersion(lab);
  const facts = record?.undo ?? undoFactsOfNames(lab, pinnedNames(lab), containerNames(lab));
  if (record !== undefined) markFalling(record);
  kernel.openLab(lab);
  const left: string[] = [];
  {
    using _host = facts.sysctls.length > 0 ? lockHost() : undefined;
    const ours = passOnSysctls(lab, facts);
    for (const event of undoOps(planDown(ours), kernel, fault)) {
      onEvent?.(event);
      if (event.type === 'left') left.push(`${describeUndo(event.op)}: ${event.failure.message}`);
    }
  }
  if (left.length > 0) {
    throw new NslabError('APPLY_LEFT', `lab ${lab} is not gone: ${left.join('; ')}`, {
      hint: `nslab down ${lab} tries again`,
    });
  }
  if (request.keepFolder !== true) {
    removeLab(lab);
    removeRunDir();
  }
}

/** The namespaces that {@link clearLab} would take away. */
export function netnsOfLab(lab: LabName): readonly NetnsName[] {
  return readRecordOfAnyVersion(lab)?.undo.netns ?? pinnedNames(lab);
}

/** A record that cannot be read is no reason to leave the lab up: what is pinned is known without it. */
function readRecordOfAnyVersion(lab: LabName): LabRecord | undefined {
  try {
    return readRecord(lab);
  } catch (error) {
    if (error instanceof NslabError && error.code === 'STATE_BROKEN') return undefined;
    throw error;
  }
}

/** Containers by their folders: those that run, and those of which only files are left. */
function containerNames(lab: LabName): NodeName[] {
  const folders = [containersDir(lab), join(CONTAINERS_VAR, lab)];
  const names = folders.flatMap((folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  });
  return [...new Set(names)].filter((name) => parseNodeName(name).ok) as NodeName[];
}

function pinnedNames(lab: LabName): NetnsName[] {
  try {
    // The helper keeps a mount namespace there under a name with a dot (src/helper/template.c).
    return readdirSync(pinsDir(lab)).filter((name) => !name.startsWith('.')) as NetnsName[];
  } catch {
    return [];
  }
}

/** So that an `up` that comes after a killed `down` does not take the lab for whole. */
function markFalling(record: LabRecord): void {
  if (record.phase === 'falling') return;
  try {
    writeRecord({ ...record, phase: 'falling' });
  } catch (error) {
    // A full disk must not keep a lab up.
    if (!(error instanceof NslabError)) throw error;
  }
}

/**
 * A setting of the machine that another lab still needs stays, and that lab now puts the old value back.
 * The caller holds the host's lock.
 */
export function passOnSysctls(lab: LabName, facts: UndoFacts): UndoFacts {
  if (facts.sysctls.length === 0) return facts;
  const others = listLabs()
    .filter((name) => name !== lab)
    .map(readRecordOfAnyVersion)
    .filter((record) => record !== undefined && record.boot === bootId());
  const kept = facts.sysctls.filter((sysctl) => {
    const heir = others.find((record) => record?.undo.sysctls.some(({ key }) => key === sysctl.key));
    if (heir === undefined) return true;
    const sysctls = heir.undo.sysctls.map((s) =>
      s.key === sysctl.key && s.was === sysctl.value ? { ...s, was: sysctl.was } : s,
    );
    writeRecord({ ...heir, undo: { ...heir.undo, sysctls } });
    return false;
  });
  return { ...facts, sysctls: kept };
}
