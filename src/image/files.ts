// Small things with files of the store that must survive a power cut: fsync(2) of a file's data, rename(2), fsync(2) of its folder.

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '../sys/errno.ts';

/** The folder and those above it, for root alone. */
export function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Writes out the names in a folder. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces a file as a whole: a reader sees the old one or the new one, also after a power cut. */
export function replaceFile(path: string, content: string | Uint8Array, unfinished: string): void {
  try {
    writeFileSync(unfinished, content, { mode: 0o600, flush: true });
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/** A name in a folder for unfinished things that nobody else has. */
export function uniqueName(prefix: string): string {
  counter++;
  return `${prefix}.${process.pid}.${counter}`;
}

let counter = 0;

/** What `doing` gives, or undefined where there is no such file. */
export function ifThere<T>(doing: () => T): T | undefined {
  try {
    return doing();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
