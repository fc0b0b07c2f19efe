// `nslab up --copies N`: one file as many labs beside each other, for a class. Whether they can be beside each other is asked of all
// of them before the first is made. One that fails is undone alone: those who have theirs go on working, and the same command makes
// what is missing.

import { NslabError, type Problem } from '../base/error.ts';
import { addressOf, type IpPrefix, ipFamily, ipToBigInt, prefixLength, subnetOf } from '../base/ip.ts';
import type { LabName } from '../base/names.ts';
import type { Kernel } from '../kernel/port.ts';
import type { Lab } from '../model/lab.ts';
import { bracketed, portRangeText, portsMeet } from '../model/network.ts';
import { isLinkLocal } from '../model/subnets.ts';
import type { Loaded } from './load.ts';
import { hostOf } from './machine.ts';
import { upLab } from './up.ts';
import type { UpEvent, UpRequest, UpResult } from './up-request.ts';

/** More would be a mistake of typing: each costs time and memory of the machine. */
export const MOST_COPIES = 500;

// biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
const COPY = '${COPY}';
const eachItsOwn = (example: string) => `${COPY} in the file is the number of the copy: ${example}`;

/** One conflict, where the copy that comes later has it. */
type Clash = { readonly path: string; readonly message: string; readonly hint: string };

/**
 * What copies would take from each other in the machine's own namespace: addresses that the file chose, routes, rules, published
 * ports, NICs. Their namespaces have the same addresses inside, and devices on the machine have names of their own.
 * @throws NslabError COPIES_OVERLAP, each place of the file once
 */
export function assertApart(copies: readonly Loaded[]): void {
  const [first] = copies;
  if (first === undefined) return;
  const clashes = clashesOf(copies.map(({ lab }) => lab));
  const told = new Map<string, Problem>();
  for (const { path, message, hint } of clashes) {
    if (!told.has(path)) told.set(path, { code: 'COPIES_OVERLAP', message, hint, where: first.locate(path) });
  }
  const problems = [...told.values()];
  const [one] = problems;
  if (one === undefined) return;
  throw new NslabError(one.code, one.message, { hint: one.hint, where: one.where, problems });
}

function clashesOf(labs: readonly Lab[]): Clash[] {
  return [
    ...subnetClashes(labs),
    ...sameThings(labs, {
      thingsOf: (lab) =>
        (hostOf(lab)?.routes ?? []).map(({ to, table, metric, path }) => {
          return { key: `route ${to} ${table ?? ''} ${metric ?? ''}`, name: `the route to ${to}`, path };
        }),
      hint: eachItsOwn(`to: "10.${COPY}.0.0/16"`),
    }),
    ...sameThings(labs, {
      thingsOf: (lab) =>
        (hostOf(lab)?.rules ?? []).map(({ path, ...rule }) => {
          return { key: JSON.stringify(rule), name: `the rule with priority ${rule.priority}`, path };
        }),
      hint: eachItsOwn(`from: "10.${COPY}.0.0/16"`),
    }),
    ...sameThings(labs, {
      thingsOf: (lab) =>
        lab.nodes.flatMap(({ interfaces }) =>
          interfaces.flatMap((iface) =>
            iface.type === 'physical'
              ? { key: iface.device, name: `the device ${iface.device}`, path: iface.path }
              : [],
          ),
        ),
      hint: 'a device of the machine can be moved into one node only; each copy could have a macvlan on it',
    }),
    ...portClashes(labs),
  ];
}

type Span = { readonly first: bigint; readonly last: bigint; readonly subnet: IpPrefix };

/** Subnets that the machine would route into two copies, which can only be to one of them. */
function subnetClashes(labs: readonly Lab[]): Clash[] {
  const used = labs.flatMap((lab) =>
    (hostOf(lab)?.interfaces ?? []).flatMap((iface) =>
      iface.addresses.flatMap(({ ip, path }) => {
        const subnet = subnetOf(ip);
        return isLinkLocal(subnet) ? [] : { lab, path, ...spanOf(subnet) };
      }),
    ),
  );
  used.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const clashes: Clash[] = [];
  // Of all before, the one that reaches farthest is the one that is met.
  let farthest: (typeof used)[number] | undefined;
  for (const one of used) {
    if (farthest !== undefined && one.first <= farthest.last && farthest.lab !== one.lab) {
      clashes.push({
        path: one.path,
        message: `copies of the lab would share ${one.subnet} on the machine, which reaches it in one of them only`,
        hint: eachItsOwn(`"10.${COPY}.0.1/24"`),
      });
    }
    if (farthest === undefined || one.last > farthest.last) farthest = one;
  }
  return clashes;
}

function spanOf(subnet: IpPrefix): Span {
  const family = ipFamily(subnet);
  const bits = BigInt((family === 4 ? 32 : 128) - prefixLength(subnet));
  // Both families in one order, one behind the other.
  const offset = family === 4 ? 0n : 1n << 128n;
  const first = offset + ((ipToBigInt(addressOf(subnet)) >> bits) << bits);
  return { subnet, first, last: first + (1n << bits) - 1n };
}

type Thing = { readonly key: string; readonly name: string; readonly path: string };

function sameThings(
  labs: readonly Lab[],
  { thingsOf, hint }: { readonly thingsOf: (lab: Lab) => readonly Thing[]; readonly hint: string },
): Clash[] {
  const owners = new Map<string, Lab>();
  return labs.flatMap((lab) =>
    thingsOf(lab).flatMap(({ key, name, path }): Clash[] => {
      const owner = owners.get(key);
      owners.set(key, owner ?? lab);
      if (owner === undefined || owner === lab) return [];
      return [{ path, message: `${name} would be that of several copies of the lab`, hint }];
    }),
  );
}

function portClashes(labs: readonly Lab[]): Clash[] {
  const seen: { lab: Lab; port: Parameters<typeof portsMeet>[0] }[] = [];
  return labs.flatMap((lab) =>
    (hostOf(lab)?.ports ?? []).flatMap((port): Clash[] => {
      const rival = seen.find((one) => one.lab !== lab && portsMeet(one.port, port));
      seen.push({ lab, port });
      if (rival === undefined) return [];
      const name = `${bracketed(port.address)}:${portRangeText(port.port)}/${port.proto}`;
      const inside = portRangeText(port.to.port);
      return [
        {
          path: port.path,
          message: `copies of the lab would all publish port ${name} of the machine`,
          hint: `"${inside}" alone takes a port that is free; ${eachItsOwn(`"80${COPY}:${inside}"`)}`,
        },
      ];
    }),
  );
}

export type CopyOutcome =
  | { readonly lab: LabName; readonly result: UpResult }
  | { readonly lab: LabName; readonly error: NslabError };

export type CopiesRequest = Pick<UpRequest, 'signal' | 'fault'> & {
  readonly copies: readonly Loaded[];
  readonly kernel: Kernel;
  readonly onEvent: (lab: LabName, event: UpEvent) => void;
  /** Before each, with how many are behind it. */
  readonly onCopy: (lab: LabName, done: number) => void;
};

/**
 * Makes the copies in order. One that fails is undone and told, and the others are made all the same; but if the first one fails,
 * most likely all would, and nothing more is tried.
 * @throws NslabError COPIES_OVERLAP before anything is touched; whatever `upLab` says of the first
 */
export async function upCopies(request: CopiesRequest): Promise<CopyOutcome[]> {
  const { copies, kernel, signal, fault, onEvent, onCopy } = request;
  assertApart(copies);
  const outcomes: CopyOutcome[] = [];
  for (const { lab, file, locate, again } of copies) {
    if (signal?.aborted === true) break;
    onCopy(lab.name, outcomes.length);
    try {
      const result = await upLab({
        lab,
        file,
        locate,
        again,
        kernel,
        fault,
        ...(signal === undefined ? {} : { signal }),
        onEvent: (event) => onEvent(lab.name, event),
      });
      outcomes.push({ lab: lab.name, result });
    } catch (error) {
      if (!(error instanceof NslabError) || outcomes.length === 0) throw error;
      outcomes.push({ lab: lab.name, error });
    }
  }
  return outcomes;
}
