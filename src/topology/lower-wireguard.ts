// A WireGuard interface: keys and peers as wg(8) reads them.

import { ipFamily, parseIpAddress, parseIpInterface } from '../base/ip.ts';
import { parseDuration } from '../base/units.ts';
import type { InterfaceType, WireguardPeer } from '../model/interface.ts';
import { type DraftInterface, keyPath, type Lowering } from './draft.ts';
import type { Path } from './problems.ts';
import type { InterfaceFile, WireguardPeerFile } from './schema-interface.ts';
import { quote, readAddress, readUnit } from './values.ts';

type WireguardFile = Extract<InterfaceFile, { readonly type: 'wireguard' }>;

/** The WireGuard part of an interface, or undefined without a usable key. */
export function lowerWireguard(
  lab: Lowering,
  draft: DraftInterface,
  keys: WireguardFile,
): InterfaceType | undefined {
  const private_key = readKey(lab, keys.private_key, keyPath(draft, 'private_key'));
  const base = keyPath(draft, 'peers');
  const peers = (keys.peers ?? []).flatMap((peer, index) => lowerPeer(lab, peer, [...base, index]) ?? []);
  if (private_key === undefined) return undefined;
  return {
    type: 'wireguard',
    private_key,
    ...(keys.listen_port === undefined ? {} : { listen_port: keys.listen_port }),
    ...(keys.fwmark === undefined ? {} : { fwmark: keys.fwmark }),
    peers,
  };
}

/** 32 bytes in base64. The key itself is not repeated in a message. */
function readKey(lab: Lowering, text: string, path: Path): string | undefined {
  if (/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw480]=$/.test(text)) return text;
  return lab.report.fail(
    path,
    'VALUE_INVALID',
    'a WireGuard key is 32 bytes in base64, 44 characters',
    'make one with `wg genkey`',
  );
}

function lowerPeer(lab: Lowering, file: WireguardPeerFile, path: Path): WireguardPeer | undefined {
  const public_key = readKey(lab, file.public_key, [...path, 'public_key']);
  const preshared_key =
    file.preshared_key === undefined
      ? undefined
      : readKey(lab, file.preshared_key, [...path, 'preshared_key']);
  const endpoint =
    file.endpoint === undefined ? undefined : readEndpoint(lab, file.endpoint, [...path, 'endpoint']);
  const keepalive = readKeepalive(lab, file, [...path, 'persistent_keepalive']);
  const allowed_ips = (file.allowed_ips ?? []).flatMap((text, index) => {
    const bare = parseIpAddress(text);
    const full = bare.ok ? `${bare.value}/${ipFamily(bare.value) === 4 ? 32 : 128}` : text;
    const parsed = parseIpInterface(full);
    if (parsed.ok) return parsed.value;
    lab.report.fail(
      [...path, 'allowed_ips', index],
      'SUBNET_INVALID',
      `${quote(text)} is not a subnet: ${parsed.error}`,
    );
    return [];
  });
  if (public_key === undefined) return undefined;
  return {
    public_key,
    ...(preshared_key === undefined ? {} : { preshared_key }),
    ...(endpoint === undefined ? {} : { endpoint }),
    allowed_ips,
    ...(keepalive === undefined ? {} : { persistent_keepalive: keepalive }),
  };
}

function readKeepalive(lab: Lowering, file: WireguardPeerFile, path: Path): number | undefined {
  if (file.persistent_keepalive === undefined) return undefined;
  const micros = readUnit(parseDuration(file.persistent_keepalive), { report: lab.report, path });
  return micros === undefined ? undefined : Math.round(micros / 1e6);
}

function readEndpoint(lab: Lowering, text: string, path: Path): WireguardPeer['endpoint'] {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535) {
    return lab.report.fail(
      path,
      'VALUE_INVALID',
      `${quote(text)} is not ADDRESS:PORT`,
      'as 192.0.2.1:51820 or [2001:db8::1]:51820',
    );
  }
  const address = readAddress(match[1] ?? match[2] ?? '', { report: lab.report, path });
  return address && { address, port };
}
