// tun and tap devices, which are made with ioctl(2) on /dev/net/tun and not through rtnetlink. The device appears in the
// network namespace of the thread that opens the file. Documentation/networking/tuntap.rst, linux/if_tun.h, ip-tuntap(8).

import { closeSync, openSync } from 'node:fs';
import { ioctlBytes, ioctlNumber } from '../sys/libc.ts';

// linux/if_tun.h
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
const TUNSETIFINDEX = 0x400454da;
const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;
/** sizeof(struct ifreq); the name has the first 16 bytes. */
const IFREQ_LEN = 40;
const IFNAMSIZ = 16;

/** A device that stays after we have closed it. */
type NewTun = {
  readonly ifname: string;
  readonly mode: 'tun' | 'tap';
  readonly ifindex?: number;
  /** The user and the group id that may attach to it without privileges. */
  readonly uid?: number;
  readonly gid?: number;
  /** Each packet is preceded by its protocol (struct tun_pi). */
  readonly pi?: boolean;
  readonly vnetHdr?: boolean;
  readonly multiQueue?: boolean;
};

/** Makes the device in the namespace where the calling thread is. Fails with EBUSY where the name is taken. */
export function createTun(tun: NewTun): void {
  const request = Buffer.alloc(IFREQ_LEN);
  if (request.write(tun.ifname, 0, IFNAMSIZ - 1, 'utf8') !== Buffer.byteLength(tun.ifname)) {
    throw new Error(`interface name longer than ${IFNAMSIZ - 1} bytes: ${tun.ifname}`);
  }
  request.writeUInt16LE(flagsOf(tun), IFNAMSIZ);
  const fd = openSync('/dev/net/tun', 'r+');
  try {
    if (tun.ifindex !== undefined) {
      const index = Buffer.alloc(4);
      index.writeInt32LE(tun.ifindex, 0);
      ioctlBytes(fd, TUNSETIFINDEX, index);
    }
    ioctlBytes(fd, TUNSETIFF, request);
    if (tun.uid !== undefined) ioctlNumber(fd, TUNSETOWNER, tun.uid);
    if (tun.gid !== undefined) ioctlNumber(fd, TUNSETGROUP, tun.gid);
    // Until here the device dies with the descriptor, so a failure leaves nothing.
    ioctlNumber(fd, TUNSETPERSIST, 1);
  } finally {
    closeSync(fd);
  }
}

function flagsOf(tun: NewTun): number {
  return (
    (tun.mode === 'tun' ? IFF_TUN : IFF_TAP) |
    IFF_TUN_EXCL |
    (tun.pi === true ? 0 : IFF_NO_PI) |
    (tun.vnetHdr === true ? IFF_VNET_HDR : 0) |
    (tun.multiQueue === true ? IFF_MULTI_QUEUE : 0)
  );
}
