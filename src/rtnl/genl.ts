// Generic netlink: one protocol shared by many families of commands, each of which has a number that the controller tells.
// The controller's messages are the netlink package's. Documentation/userspace-api/netlink/intro.rst "Generic Netlink",
// linux/genetlink.h.

import { formatMessage, parseMessage } from 'netlink/dist/genl/structs.js';
import { AttrStream } from 'netlink/dist/structs.js';
import { RtnlError } from './error.ts';
import type { MessageWriter, Request } from './message.ts';
import type { Transport } from './transport.ts';

/** sizeof(struct genlmsghdr) */
export const GENL_HDRLEN = 4;
const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_VERSION = 1;
const ENOENT = 2;

/** A family of commands of a running kernel. */
export type GenlFamily = { readonly id: number; readonly version: number };

/** Finds a family by its name, or undefined. The kernel tries to load its module first. */
export function findGenlFamily(transport: Transport, name: string): GenlFamily | undefined {
  const stream = new AttrStream();
  stream.emit(formatMessage({ familyName: name }));
  const attributes = Buffer.concat(stream.bufs);
  const request = genlRequest({ id: GENL_ID_CTRL, version: CTRL_VERSION }, CTRL_CMD_GETFAMILY, (writer) => {
    writer.raw(attributes);
  });
  try {
    const { familyId, version } = parseMessage(transport.get(request).subarray(GENL_HDRLEN));
    return familyId === undefined ? undefined : { id: familyId, version: version ?? 1 };
  } catch (error) {
    if (error instanceof RtnlError && error.errno === ENOENT) return undefined;
    throw error;
  }
}

/** A command of a family, with its attributes. */
export function genlRequest(
  family: GenlFamily,
  command: number,
  attributes: (writer: MessageWriter) => void,
): Request {
  return {
    type: family.id,
    payload(writer) {
      writer.u8(command);
      writer.u8(family.version);
      writer.u16(0);
      attributes(writer);
    },
  };
}
