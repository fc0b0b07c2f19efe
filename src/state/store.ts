// The files under /run/nslab: one folder per lab with its lock, record and lab. A record is replaced as a whole by rename(2).
// Nothing here touches namespaces or links.

import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { NslabError } from '../base/error.ts';
import { type LabName, parseNodeName } from '../base/names.ts';
import type { Lab } from '../model/lab.ts';
import { codeOf } from '../sys/errno.ts';
import { tryFlock } from '../sys/libc.ts';
import { CONTAINERS_VAR, LABS_DIR, labDir, RUN_DIR } from './paths.ts';
import { type LabRecord, parseRecord } from './record.ts';

/** So long a `down` of another lab may take, milliseconds. */
const HOST_LOCK_MS = 30_000;
/** How often folders may vanish under us before it is something else. */
const LOCK_TRIES = 100;

/** A held lock; the kernel frees it when the process ends, however it ends. */
export type Lock = { readonly [Symbol.dispose]: () => void };

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function stateWrite(doing: string, error: unknown): NslabError {
  return new NslabError('STATE_WRITE', `${doing}: ${codeOf(error) || String(error)}`, {
    cause: error,
    hint: 'nothing was changed; /run/nslab must be writable and have room',
  });
}

/** Locks a file, or says who holds it. The file may be removed by its last holder, so the inode is checked after locking. */
function lockFile(path: string, onHeld: (pid: string) => NslabError): Lock {
  for (;;) {
    const fd = openSync(path, 'a+', 0o600);
    if (!tryFlock(fd)) {
      const pid = readFileSync(path, 'utf8').trim();
      closeSync(fd);
      throw onHeld(pid);
    }
    if (isSameFile(fd, path)) {
      try {
        writeFileSync(path, `${process.pid}\n`);
      } catch (error) {
        // A full disk. The file was perhaps made by us; a lock without one is made anew.
        rmSync(path, { force: true });
        closeSync(fd);
        throw error;
      }
      return { [Symbol.dispose]: () => closeSync(fd) };
    }
    closeSync(fd);
  }
}

/** Folders, each in the one before. Node's own `recursive` says ENOENT where the file system is read-only. */
function makeFolders(...paths: readonly string[]): void {
  for (const path of paths) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Takes away what was made for a lock that could not be had, as far as it is empty. */
function removeEmptyLab(lab: LabName): void {
  try {
    rmdirSync(labDir(lab));
    removeRunDir();
  } catch {
    // A lab that is up, or nothing there: the reason for coming here is told.
  }
}

function isSameFile(fd: number, path: string): boolean {
  try {
    return statSync(path).ino === fstatSync(fd).ino;
  } catch {
    return false;
  }
}

/**
 * Makes the lab's folder if need be and locks it.
 * @throws NslabError LAB_LOCKED with the holder's pid, STATE_WRITE when /run is full or read-only
 */
export function lockLab(lab: LabName): Lock {
  for (let tries = LOCK_TRIES; ; tries--) {
    try {
      makeFolders(RUN_DIR, LABS_DIR, labDir(lab));
      return lockFile(
        join(labDir(lab), 'lock'),
        (pid) =>
          new NslabError('LAB_LOCKED', `lab ${lab} is being changed by process ${pid || '(starting)'}`, {
            hint: 'wait until it has ended, then try again',
          }),
      );
    } catch (error) {
      if (error instanceof NslabError) throw error;
      // ENOENT: the `down` of another lab, or of this one, has just removed a folder.
      if (codeOf(error) === 'ENOENT' && tries > 0) continue;
      removeEmptyLab(lab);
      throw stateWrite(`cannot make ${labDir(lab)}`, error);
    }
  }
}

/** True while another process holds the lab's lock. */
export function isLocked(lab: LabName): boolean {
  let fd: number;
  try {
    fd = openSync(join(labDir(lab), 'lock'), 'r');
  } catch {
    return false;
  }
  try {
    return !tryFlock(fd);
  } finally {
    closeSync(fd);
  }
}

/** The lock of what labs share in the machine's own namespace; held for moments only, so this waits for it. */
export function lockHost(): Lock {
  const deadline = Date.now() + HOST_LOCK_MS;
  const held = (pid: string) =>
    new NslabError('LAB_LOCKED', `process ${pid} is changing what all labs share`, { hint: 'try again' });
  for (;;) {
    try {
      makeFolders(RUN_DIR);
      return lockFile(join(RUN_DIR, 'lock'), held);
    } catch (error) {
      const again = error instanceof NslabError || codeOf(error) === 'ENOENT';
      if (!again) throw stateWrite(`cannot lock ${RUN_DIR}`, error);
      if (Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Replaces a file as a whole: a reader sees the old one or the new one. */
function replaceFile(path: string, text: string): void {
  const next = `${path}.next`;
  writeFileSync(next, text, { mode: 0o600 });
  renameSync(next, path);
}

/** @throws NslabError STATE_WRITE */
export function writeRecord(record: LabRecord): void {
  try {
    replaceFile(join(labDir(record.lab), 'record.json'), JSON.stringify(record));
  } catch (error) {
    throw stateWrite(`cannot write the record of lab ${record.lab}`, error);
  }
}

/** The lab as data and its prefix as the helper reads it. Written before the record, so that a record implies them. */
export function writeLab(lab: Lab): void {
  try {
    replaceFile(join(labDir(lab.name), 'lab.json'), JSON.stringify(lab));
    replaceFile(join(labDir(lab.name), 'prefix'), lab.prefix);
  } catch (error) {
    throw stateWrite(`cannot write lab ${lab.name}`, error);
  }
}

export function readLab(name: LabName): Lab | undefined {
  try {
    return JSON.parse(readFileSync(join(labDir(name), 'lab.json'), 'utf8')) as Lab;
  } catch {
    return undefined;
  }
}

/**
 * The record, or undefined when there is none (a process that was killed before it wrote one).
 * @throws NslabError STATE_BROKEN
 */
export function readRecord(lab: LabName): LabRecord | undefined {
  let text: string;
  try {
    text = readFileSync(join(labDir(lab), 'record.json'), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  const record = parseRecord(text);
  if (record.ok) return record.value;
  throw new NslabError('STATE_BROKEN', `the record of lab ${lab} ${record.error}`, {
    hint: `${join(labDir(lab), 'record.json')} was written by another version of nslab, or by hand`,
  });
}

export function labExists(lab: LabName): boolean {
  return statSync(labDir(lab), { throwIfNoEntry: false }) !== undefined;
}

/** Names of all labs that have a folder, up or not, in order. */
export function listLabs(): LabName[] {
  let names: string[];
  try {
    names = readdirSync(LABS_DIR);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  return names.filter((name) => parseNodeName(name).ok).sort() as LabName[];
}

/** Names of all labs that have files of containers under /var/lib/nslab, in order; a reboot leaves those. */
export function labsOfFiles(): LabName[] {
  let names: string[];
  try {
    names = readdirSync(CONTAINERS_VAR);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  return names.filter((name) => parseNodeName(name).ok).sort() as LabName[];
}

/** Removes the folder of a lab that is down. The lock goes with it and stays held until it is disposed of. */
export function removeLab(lab: LabName): void {
  rmSync(labDir(lab), { recursive: true, force: true });
}

/** Removes /run/nslab when no lab is left in it. A process that has just opened the lock there finds out and starts again. */
export function removeRunDir(): void {
  try {
    rmdirSync(LABS_DIR);
  } catch (error) {
    if (['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) return;
    throw error;
  }
  rmSync(join(RUN_DIR, 'lock'), { force: true });
  try {
    rmdirSync(RUN_DIR);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw error;
  }
}
