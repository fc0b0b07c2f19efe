// The one seam between the transport and the kernel: a datagram goes out, datagrams that wait come in. The kernel's side is an
// AF_NETLINK socket; tests put a fake in its place. It understands no message. netlink(7), socket(7).

import { closeSync } from 'node:fs';
import {
  AF_NETLINK,
  MSG_DONTWAIT,
  MSG_TRUNC,
  recv,
  SOCK_CLOEXEC,
  SOCK_RAW,
  send,
  setsockopt,
  socket,
} from '../sys/libc.ts';

/** A netlink socket, as the transport needs it. Failures are thrown as SyscallError. */
export type NetlinkSocket = {
  /** Sends one datagram. The kernel has handled all its requests when this returns. */
  send(bytes: Uint8Array, length: number): void;
  /** Takes the next datagram that waits: its full length, even where the buffer is shorter; -1 where none waits. */
  receive(into: Uint8Array): number;
  close(): void;
};

// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
// linux/netlink.h
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** Room for the acknowledgements of a whole batch; the kernel counts about 1 KiB for each and loses those that do not fit. */
const RECEIVE_ROOM = 4 << 20;
/** What one datagram may have; net.core.wmem_default, usually 208 KiB, is little for a large nft table. */
const SEND_ROOM = 4 << 20;

function int(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

/** Sets a size, past the limit of net.core.*mem_max where we may, else up to it. */
function setRoom(fd: number, force: number, plain: number, bytes: number): void {
  try {
    setsockopt(fd, SOL_SOCKET, { name: force, value: int(bytes) });
  } catch {
    setsockopt(fd, SOL_SOCKET, { name: plain, value: int(bytes) });
  }
}

/** The kernel's netlink socket of a protocol, in the network namespace where the calling thread is now and for ever. */
export class KernelSocket implements NetlinkSocket {
  readonly fd: number;
  #open = true;

  constructor(protocol: number) {
    this.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    try {
      setRoom(this.fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_ROOM);
      setRoom(this.fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_ROOM);
      for (const name of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) {
        setsockopt(this.fd, SOL_NETLINK, { name, value: int(1) });
      }
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  send(bytes: Uint8Array, length: number): void {
    send(this.fd, bytes, length);
  }

  receive(into: Uint8Array): number {
    return recv(this.fd, into, MSG_DONTWAIT | MSG_TRUNC);
  }

  /** Subscribes to a multicast group (RTNLGRP_LINK and the like); its messages then arrive between the answers. */
  join(group: number): void {
    setsockopt(this.fd, SOL_NETLINK, { name: NETLINK_ADD_MEMBERSHIP, value: int(group) });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }
}
