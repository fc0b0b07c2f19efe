// The marks by which nslab tells what is its own in the machine's own namespace: a link group (IFLA_GROUP, linux/if_link.h) and
// the name of an nft table. Both follow from the lab's name alone, so that `down` needs no file to know them.

import type { LabName } from '../base/names.ts';
import type { Place } from '../model/lab.ts';

/**
 * The link group of a lab's devices in the machine's own namespace: stable, 31 bits (iproute2 prints it as an int) and never
 * below 2^30, where the groups that people and distributions choose are found; 0 is every other device's.
 */
export function labGroup(lab: LabName): number {
  return (hash32(lab, 0) & 0x3fff_ffff) | 0x4000_0000;
}

/** True for the link group of whichever lab. */
export function isLabGroup(group: number): boolean {
  return group >= 0x4000_0000;
}

/** The nft table of a node. In a namespace of its own the short name says all; on the machine it must name the lab. */
export function tableName(lab: LabName, place: Place): string {
  return place === null ? `nslab-${lab}` : 'nslab';
}

/** A short name for a text: 16 hexadecimal digits, the same on every machine. Not for use against an adversary. */
export function contentHash(text: string): string {
  return hex(hash32(text, 0)) + hex(hash32(text, 0x9e37_79b9));
}

/** MurmurHash3 (32 bits) over UTF-16 code units, two bytes each taken as one block: fast, and well spread for short names. */
function hash32(text: string, seed: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) {
    let k = Math.imul(text.charCodeAt(i), 0xcc9e_2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593);
    h ^= k;
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe654_6b64;
  }
  h ^= text.length;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
