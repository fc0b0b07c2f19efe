// Talking to the monitor of a container: one packet there, one back, over RUN/control (src/helper/control.c). Here only for what
// must be synchronous and quick, as `down`; a command that waits lets the helper do it, which can be interrupted.

import { closeSync, openSync } from 'node:fs';
import { codeOf } from '../sys/errno.ts';
import {
  AF_UNIX,
  connectUnix,
  recv,
  SO_RCVTIMEO,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
  SOL_SOCKET,
  send,
  setsockopt,
  socket,
} from '../sys/libc.ts';

const ANSWER_BYTES = 4096;

/** A question on its way. */
export type Asked = { readonly fd: number };

/** Sends a request; undefined where nobody listens. The caller must take the answer with {@link answerOf}. */
export function ask(folder: string, request: string, timeoutMs: number): Asked | undefined {
  let directory: number;
  try {
    directory = openSync(folder, 'r');
  } catch {
    return undefined;
  }
  const fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  try {
    // Names of a lab and a node may be longer together than a socket's address is.
    connectUnix(fd, `/proc/self/fd/${directory}/control`);
    const timeout = new BigInt64Array([
      BigInt(Math.floor(timeoutMs / 1000)),
      BigInt((timeoutMs % 1000) * 1000),
    ]);
    setsockopt(fd, SOL_SOCKET, { name: SO_RCVTIMEO, value: new Uint8Array(timeout.buffer) });
    const packet = Buffer.from(request);
    send(fd, packet, packet.length);
    return { fd };
  } catch (error) {
    closeSync(fd);
    if (codeOf(error) === '') throw error;
    return undefined;
  } finally {
    closeSync(directory);
  }
}

/** The answer, without the words around it; undefined when none came in time or the monitor went away. */
export function answerOf({ fd }: Asked): string | undefined {
  try {
    const buffer = new Uint8Array(ANSWER_BYTES);
    const length = recv(fd, buffer, 0);
    return length <= 0 ? undefined : Buffer.from(buffer.subarray(0, length)).toString('utf8');
  } catch (error) {
    if (codeOf(error) === '') throw error;
    return undefined;
  } finally {
    closeSync(fd);
  }
}
