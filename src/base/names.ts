// Names as brands. The kernel's rules: dev_valid_name() in net/core/dev.c and IFNAMSIZ (linux/if.h) for interfaces; a network
// namespace's name is a file name under /run/netns (ip-netns(8)).

import { err, ok, type Result } from './result.ts';

declare const brand: unique symbol;

/** A kernel interface name: 1 to 15 bytes. */
export type IfName = string & { readonly [brand]: 'IfName' };
/** A node's name as the file has it. */
export type NodeName = string & { readonly [brand]: 'NodeName' };
/** The name of a network namespace under /run/netns: the lab's prefix and the node's name. */
export type NetnsName = string & { readonly [brand]: 'NetnsName' };
/** The name under which a lab is known to `ls` and `down`: the prefix and the name of the file. */
export type LabName = string & { readonly [brand]: 'LabName' };
/** A MAC address in lower case, `02:00:00:00:00:01`. */
export type MacAddress = string & { readonly [brand]: 'MacAddress' };

/** IFNAMSIZ is 16 with the closing NUL. */
export const IFNAME_MAX = 15;
/** ALTIFNAMSIZ is 128 with the closing NUL. */
export const ALTNAME_MAX = 127;

/** What nearly all are called; everything else is looked at byte by byte. */
const plainIfName = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,14}$/;

/** A kernel interface name. The error is a half sentence that follows the name. */
export function parseIfName(text: string): Result<IfName> {
  if (plainIfName.test(text)) return ok(text as IfName);
  const bytes = new TextEncoder().encode(text).length;
  if (bytes === 0) return err('is empty');
  const shape = ifNameShape(text);
  if (shape !== undefined) return err(shape);
  if (bytes > IFNAME_MAX) return err(`has ${bytes} bytes, the kernel allows ${IFNAME_MAX}`);
  return ok(text as IfName);
}

/** What the kernel refuses in an interface name or altname besides its length, or undefined. */
export function ifNameShape(text: string): string | undefined {
  if (text === '.' || text === '..') return 'is a folder name';
  for (const char of text) {
    const code = char.charCodeAt(0);
    if (code <= 0x20 || code === 0x7f || '/:%'.includes(char))
      return `has the character ${JSON.stringify(char)}`;
  }
  return undefined;
}

const nodePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** A node's or a lab's name: letters, digits, `_`, `-`, `.`; 63 bytes at most so that a host name can be made of it. */
export function parseNodeName(text: string): Result<NodeName> {
  if (text === '') return err('is empty');
  if (!nodePattern.test(text))
    return err('may have letters, digits, "_", "-" and ".", and starts with one of the first three');
  if (text.length > 63) return err(`has ${text.length} characters, 63 are allowed`);
  return ok(text as NodeName);
}

/** A MAC address of six bytes, `:` or `-` between them; multicast addresses are refused, as the kernel does. */
export function parseMacAddress(text: string): Result<MacAddress> {
  if (!/^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$/.test(text)) {
    return err('is not six bytes in hexadecimal, as 02:00:00:00:00:01');
  }
  const mac = text.toLowerCase().replaceAll('-', ':');
  if (Number.parseInt(mac.slice(0, 2), 16) & 1) return err('is a multicast address (the first byte is odd)');
  if (mac === '00:00:00:00:00:00') return err('is all zeros');
  return ok(mac as MacAddress);
}

/** The six bytes of a MAC address. */
export function macToBytes(mac: MacAddress): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}
