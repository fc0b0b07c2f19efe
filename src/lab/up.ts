// `nslab up`: check against the host, write the record, make everything, and undo it all if one step fails. This file is the
// order of those steps and nothing else.

import { dirname } from 'node:path';
import { applyOps } from '../apply/apply.ts';
import { NslabError } from '../base/error.ts';
import type { Lab } from '../model/lab.ts';
import { checkHost } from '../plan/check-host.ts';
import { describeOp } from '../plan/describe.ts';
import type { Op } from '../plan/op.ts';
import { undoFacts } from '../plan/undo.ts';
import { type LabRecord, RECORD_VERSION } from '../state/record.ts';
import {
  bootId,
  lockHost,
  lockLab,
  readRecord,
  removeLab,
  removeRunDir,
  writeLab,
  writeRecord,
} from '../state/store.ts';
import { checkPublished, publishes } from './check-ports.ts';
import { clearLab } from './clear.ts';
import { digestLab } from './digest.ts';
import { type ImagesForUse, useImages } from './image-use.ts';
import { otherLabs } from './machine.ts';
import { opsOf } from './ops.ts';
import { assertNoProblems, failureCode, type UpRequest, type UpResult } from './up-request.ts';
import { allocateIds } from './userns.ts';

type Prepared = UpRequest & { readonly images: ImagesForUse };

type Counts = { readonly nodes: number; readonly links: number };

/**
 * Brings the lab up, or finds that it is up already and changes nothing, or with `change` only what differs.
 * @throws NslabError HOST_* before anything is touched; LAB_ALREADY_UP, LAB_LOCKED; APPLY_FAILED when a step failed and all
 * was undone; APPLY_LEFT when something could not be undone; INTERRUPTED after the signal, all undone
 */
export async function upLab(request: UpRequest): Promise<UpResult> {
  const { lab, kernel } = request;
  using _lock = lockLab(lab.name);
  const counts = { nodes: lab.nodes.filter((node) => node.place !== null).length, links: lab.links.length };
  const before = readRecord(lab.name);
  const digest = digestLab(lab);
  if (before?.phase === 'up' && before.boot === bootId()) {
    // A container of `run` has its lab for itself.
    if (request.change === true && before.solo === undefined) {
      const { changeLab } = await import('./change.ts');
      return await changeLab(request, before, counts);
    }
    assertSameLab(before, digest);
    return { outcome: 'unchanged', ...counts, ops: 0 };
  }
  // What a killed `up` or `down`, or an earlier boot, left behind goes first.
  if (before !== undefined) clearLab({ lab: lab.name, kernel, keepFolder: true });
  using images = await imagesOrLeave(request);
  const { ops, chosen } = prepareOrLeave({ ...request, images }, counts);
  await make({ ...request, lab: chosen }, ops);
  return { outcome: 'made', ...counts, ops: ops.length };
}

function assertSameLab(record: LabRecord, digest: string): void {
  if (record.digest === digest) return;
  throw new NslabError(
    'LAB_ALREADY_UP',
    `lab ${record.lab} is up already and differs from this file (it was made from ${record.file})`,
    {
      hint: `nslab down ${record.lab} takes it down; --prefix brings up a copy under other names`,
    },
  );
}

/** Finds the images, and if one is not there takes away the folder that was made for the lock. */
async function imagesOrLeave({ lab }: UpRequest): Promise<ImagesForUse> {
  try {
    return await useImages(lab);
  } catch (error) {
    removeLab(lab.name);
    removeRunDir();
    throw error;
  }
}

/** How many labs may come at the same time as this one and take its subnet. */
const MOST_RIVALS = 20;

type Planned = { readonly ops: Op[]; readonly chosen: Lab };

/** Prepares, and if that is refused takes away the folder that was made for the lock. */
function prepareOrLeave(request: Prepared, counts: Counts): Planned {
  try {
    return prepareOrAgain(request, counts);
  } catch (error) {
    removeLab(request.lab.name);
    removeRunDir();
    throw error;
  }
}

/** Another lab may take a subnet between the look at the machine and the lock; then the next one is free. */
function prepareOrAgain(request: Prepared, counts: Counts): Planned {
  for (let chosen = request.lab, rivals = 0; ; rivals++) {
    try {
      return { ops: prepare({ ...request, lab: chosen }, digestLab(chosen), counts), chosen };
    } catch (error) {
      const taken = error instanceof NslabError && error.code === 'HOST_SUBNET_TAKEN';
      const next = taken && rivals < MOST_RIVALS ? request.again?.() : undefined;
      if (next === undefined || digestLab(next) === digestLab(chosen)) throw error;
      chosen = next;
    }
  }
}

/** Everything that can be refused before the first change: conflicts with the host, and writing the record. */
function prepare(request: Prepared, digest: string, counts: Counts): Op[] {
  const { file, kernel, locate, solo, images } = request;
  using _host = lockHost();
  const lab = allocateIds(request.lab);
  // Who publishes nothing need not know the other labs.
  const published = publishes(lab) ? checkPublished(lab, otherLabs(lab.name), kernel) : [];
  const found = [...checkHost(lab, kernel.observe()), ...published];
  assertNoProblems(found, locate);
  const ops = images.withImages(opsOf(lab)).map((op) => asAsked(op, request));
  const undo = undoFacts(lab.name, ops, kernel);
  writeLab(lab);
  writeRecord({
    version: RECORD_VERSION,
    lab: lab.name,
    prefix: lab.prefix,
    file,
    digest,
    phase: 'rising',
    at: new Date().toISOString(),
    boot: bootId(),
    ...counts,
    ...(solo === undefined ? {} : { solo }),
    undo,
  });
  return ops;
}

function asAsked(op: Op, { hold, solo }: UpRequest): Op {
  if (op.kind !== 'startContainer') return op;
  return {
    ...op,
    ...(hold === true ? { hold } : {}),
    ...(solo?.remove === true ? { remove: true } : {}),
  };
}

async function make(request: UpRequest, ops: readonly Op[]): Promise<void> {
  const { lab, file } = request;
  request.kernel.openLab(lab.name, file === '-' ? process.cwd() : dirname(file));
  try {
    await runOps(request, ops);
    const record = readRecord(request.lab.name);
    if (record !== undefined) writeRecord({ ...record, phase: 'up' });
  } catch (reason) {
    // Whatever it was, a mistake of ours included: half a lab helps nobody.
    undoAll(request, reason);
  }
}

/** @throws NslabError for the step that failed, or INTERRUPTED */
async function runOps(request: UpRequest, ops: readonly Op[]): Promise<void> {
  const { lab, kernel, onEvent } = request;
  for await (const event of applyOps(ops, kernel, request)) {
    onEvent(event);
    if (event.type === 'failed') {
      const { message, hint } = event.failure;
      throw new NslabError(failureCode(event), `${describeOp(event.op)}: ${message}`, { hint });
    }
    if (event.type === 'interrupted') {
      const done = `${event.index} of ${ops.length} steps were made, and all of them were undone`;
      throw new NslabError('INTERRUPTED', `up of ${lab.name} was interrupted: ${done}`);
    }
  }
}

/** Takes down what was made so far and throws the reason; if that fails too, both. */
function undoAll({ lab, kernel, onEvent }: UpRequest, reason: unknown): never {
  onEvent({ type: 'undoing' });
  try {
    clearLab({ lab: lab.name, kernel, onEvent });
  } catch (error) {
    if (!(error instanceof NslabError) || !(reason instanceof Error)) throw error;
    const message = `${reason.message}; and then: ${error.message}`;
    throw new NslabError(error.code, message, { hint: error.hint, cause: reason });
  }
  throw reason;
}
