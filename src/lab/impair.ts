// `nslab impair`: what happens to packets that leave an interface of a lab that is up, read, changed and taken away. The kernel is asked
// and told; the lab's record knows only what the file wanted.

import { NslabError } from '../base/error.ts';
import type { IfName, LabName } from '../base/names.ts';
import { didYouMean } from '../base/suggest.ts';
import { parseDuration } from '../base/units.ts';
import type { Kernel, LinkConfig, QdiscView } from '../kernel/port.ts';
import { ownsNetns } from '../model/container.ts';
import { impairmentReaders, impairmentText, qdiscOf } from '../model/impairment.ts';
import type { Interface } from '../model/interface.ts';
import type { Impairment, Node, Place } from '../model/lab.ts';
import { describeOp } from '../plan/describe.ts';
import type { Op } from '../plan/op.ts';
import { listLabs, readLab } from '../state/store.ts';
import { onlyLab } from './list.ts';

/** What a command line asks for. */
export type ImpairWords = {
  /** Of these a zero takes the word away. */
  readonly set: Impairment;
  /** Microseconds between up and down. */
  readonly flap?: number;
};

type Word = keyof Impairment | 'flap';

const readers = {
  ...impairmentReaders,
  limit: parseLimit,
  flap: parseDuration,
} as const satisfies Record<Word, unknown>;

const words = Object.keys(readers) as Word[];

/**
 * The words of tc-netem(8), each with its value: `delay 20ms 2ms loss 1%`, and `flap 2s`.
 * @throws NslabError USAGE
 */
export function parseImpairWords(typed: readonly string[]): ImpairWords {
  const found = new Map<Word, number>();
  const take = (word: Word, value: string): void => {
    if (found.has(word)) throw usage(`${word} is there twice`);
    found.set(word, readValue(word, value));
  };
  for (let i = 0; i < typed.length; ) {
    const text = typed[i] ?? '';
    const word = words.find((one) => one === text);
    if (word === undefined) {
      throw usage(
        `impair does not know ${JSON.stringify(text)}`,
        didYouMean(text, words) ?? `the words are ${words.join(', ')}`,
      );
    }
    const value = typed[i + 1];
    if (value === undefined) throw usage(`${word} has no value`, `as ${word} ${examples[word]}`);
    take(word, value);
    i += 2;
    const next = typed[i];
    // tc's own way: the second time is the jitter.
    if (word === 'delay' && next !== undefined && /^[0-9.]/.test(next)) {
      take('jitter', next);
      i += 1;
    }
  }
  const flap = found.get('flap');
  found.delete('flap');
  if (flap !== undefined && flap < 1000) throw usage('flap takes a millisecond at least', 'as flap 2s');
  if (flap !== undefined && found.size > 0) {
    throw usage('flap stands alone', 'what else is set stays as it is; set it in a command of its own');
  }
  return { set: Object.fromEntries(found), ...(flap === undefined ? {} : { flap }) };
}

const examples: Readonly<Record<Word, string>> = {
  delay: '20ms',
  jitter: '2ms',
  loss: '1%',
  corrupt: '0.1%',
  duplicate: '0.1%',
  reorder: '5%',
  rate: '10mbit',
  limit: '100',
  flap: '2s',
};

function readValue(word: Word, value: string): number {
  // A rate of nothing would let nothing through; here it means none.
  if (word === 'rate' && /^0+[a-z]*$/i.test(value)) return 0;
  const result = readers[word](value);
  if (result.ok) return result.value;
  throw usage(`${word}: ${result.error.message}`, result.error.hint);
}

function parseLimit(value: string): ReturnType<typeof parseDuration> {
  const limit = Number(value);
  if (/^\d+$/.test(value) && limit <= 0xffff_ffff) return { ok: true, value: limit };
  const message = `${JSON.stringify(value)} is not a number of packets`;
  return { ok: false, error: { code: 'VALUE_RANGE', message, hint: 'as limit 100' } };
}

function usage(message: string, hint?: string): NslabError {
  return new NslabError('USAGE', message, hint === undefined ? {} : { hint });
}

/** An interface of a lab that is up. */
export type ImpairEnd = {
  readonly lab: LabName;
  readonly node: string;
  readonly place: Place;
  readonly ifname: IfName;
  readonly mtu?: number;
  /** The other end of its wire. */
  readonly peer?: { readonly node: string; readonly place: Place; readonly ifname: IfName };
};

/**
 * The interface that `NODE:IF` means; of the machine only those of a lab.
 * @throws NslabError USAGE, LAB_UNKNOWN, NODE_UNKNOWN, INTERFACE_UNKNOWN, LAB_AMBIGUOUS
 */
export function findEnd(text: string, lab: string | undefined, kernel: Kernel): ImpairEnd {
  const [, name, ifname] = /^([^:]+):(.+)$/.exec(text) ?? [];
  if (name === undefined || ifname === undefined) {
    throw usage(`${JSON.stringify(text)} is no interface of a node`, 'as pc1:eth0');
  }
  const nodes = labNodes(lab);
  const named = nodes.filter(({ node }) => node.name === name || node.place === name);
  if (named.length === 0) {
    const hint =
      didYouMean(
        name,
        nodes.map(({ node }) => node.name),
      ) ?? 'nslab inspect lists the nodes of a lab';
    throw new NslabError('NODE_UNKNOWN', `no node ${name} is up`, { hint });
  }
  const found = named.flatMap((one) => endOf(one, ifname, kernel) ?? []);
  const [first, second] = found;
  if (first === undefined) {
    const known = named.flatMap(({ node }) => node.interfaces.map((iface) => iface.name));
    const hint = didYouMean(ifname, known) ?? (known.length === 0 ? undefined : `it has ${known.join(', ')}`);
    throw new NslabError(
      'INTERFACE_UNKNOWN',
      `${name} has no interface ${ifname}`,
      hint === undefined ? {} : { hint },
    );
  }
  if (second === undefined) return first;
  const labs = found.map((one) => one.lab).join(', ');
  throw new NslabError('LAB_AMBIGUOUS', `${found.length} labs have ${text}: ${labs}`, {
    hint: '--lab says which',
  });
}

type LabNode = { readonly lab: LabName; readonly node: Node };

function labNodes(lab: string | undefined): LabNode[] {
  const all = listLabs();
  const labs = lab === undefined && all.length > 0 ? all : [onlyLab(lab)];
  return labs.flatMap((name) =>
    (readLab(name)?.nodes ?? []).filter(ownsNetns).map((node) => ({ lab: name, node })),
  );
}

function endOf({ lab, node }: LabNode, ifname: string, kernel: Kernel): ImpairEnd | undefined {
  kernel.openLab(lab);
  const { place } = node;
  const model = node.interfaces.find((one) => one.name === ifname || one.ifname === ifname);
  // On the machine a name of our record is ours; in a node everything is the lab's.
  if (model === undefined && place === null) return undefined;
  const device = kernel
    .readDevices(place)
    ?.find((one) => one.ifname === (model?.ifname ?? ifname) || one.altnames.includes(ifname));
  if (device === undefined) return undefined;
  const peer = model === undefined ? undefined : peerOf(model);
  return {
    lab,
    node: node.name,
    place,
    ifname: device.ifname,
    ...(device.mtu === undefined ? {} : { mtu: device.mtu }),
    ...(peer === undefined ? {} : { peer }),
  };
}

function peerOf(iface: Interface): ImpairEnd['peer'] {
  return iface.type === 'veth' ? iface.peer : undefined;
}

/**
 * The end itself, or with its peer.
 * @throws NslabError USAGE where it is no end of a wire
 */
export function bothEnds(end: ImpairEnd): readonly ImpairEnd[] {
  const { lab, node, ifname, peer, mtu } = end;
  if (peer === undefined) {
    throw usage(`${node}:${ifname} is no end of a wire of the file`, '--both is for wires; leave it out');
  }
  return [end, { lab, ...peer, ...(mtu === undefined ? {} : { mtu }) }];
}

/** What is set at an interface. */
export type ImpairRow = {
  readonly lab: LabName;
  readonly node: string;
  readonly interface: IfName;
  /** `netem`, `tbf`, or what somebody else has put there. */
  readonly qdisc: string;
  /** Times in microseconds, rates in bit/s, probabilities from 0 to 1, the limit in packets. */
  readonly impair: Impairment;
  /** The same in tc's words. */
  readonly text: string;
};

/**
 * All that is set, of one lab or of all.
 * @throws NslabError LAB_UNKNOWN
 */
export function listImpaired(lab: string | undefined, kernel: Kernel): ImpairRow[] {
  if (lab === undefined && listLabs().length === 0) return [];
  return labNodes(lab).flatMap(({ lab: name, node }) => {
    kernel.openLab(name);
    if (kernel.readDevices(node.place) === undefined) return [];
    const own = new Set<string>(node.interfaces.map(({ ifname }) => ifname));
    return [...kernel.readQdiscs(node.place)]
      .filter(([ifname]) => node.place !== null || own.has(ifname))
      .map(([ifname, view]) => rowOf({ lab: name, node: node.name, ifname: ifname as IfName }, view));
  });
}

function rowOf(
  { lab, node, ifname }: Pick<ImpairEnd, 'lab' | 'node' | 'ifname'>,
  view: QdiscView | undefined,
): ImpairRow {
  const impair = view?.impair ?? {};
  return { lab, node, interface: ifname, qdisc: view?.kind ?? 'none', impair, text: impairmentText(impair) };
}

/**
 * Sets the words at the interface and leaves what else is set there; without words takes all away.
 * @throws NslabError USAGE, QDISC_FOREIGN, HOST_KERNEL_LACKS, IMPAIR_FAILED
 */
export function impair(end: ImpairEnd, set: Impairment | 'clear', kernel: Kernel): ImpairRow {
  const { lab, place, ifname } = end;
  kernel.openLab(lab);
  const before = kernel.readQdiscs(place).get(ifname);
  if (before !== undefined && before.impair === undefined) {
    const where = place === null ? '' : ` -n ${place}`;
    throw new NslabError(
      'QDISC_FOREIGN',
      `${end.node}:${ifname} has the queueing discipline ${before.kind}`,
      {
        hint: `tc${where} qdisc del dev ${ifname} root removes it`,
      },
    );
  }
  const wanted = set === 'clear' ? {} : merged(before?.impair ?? {}, set);
  const qdisc = qdiscOf(wanted, end.mtu) ?? null;
  if (qdisc !== null || before !== undefined) run({ kind: 'setQdisc', place, ifname, qdisc }, kernel);
  return rowOf(end, kernel.readQdiscs(place).get(ifname));
}

function merged(before: Impairment, set: Impairment): Impairment {
  const all = Object.entries({ ...before, ...set }).filter(([, value]) => value !== 0);
  const result: Impairment = Object.fromEntries(all);
  for (const word of ['jitter', 'reorder'] as const) {
    if (result[word] !== undefined && result.delay === undefined) {
      throw usage(`${word} needs a delay, and there is none`, `delay 20ms ${word} ${examples[word]}`);
    }
  }
  return result;
}

function run(op: Extract<Op, { readonly kind: 'setQdisc' }>, kernel: Kernel): void {
  const result = kernel.run([op]);
  if (!('failure' in result)) return;
  const { message, hint, lacks } = result.failure;
  throw new NslabError(
    lacks === undefined ? 'IMPAIR_FAILED' : 'HOST_KERNEL_LACKS',
    `${describeOp(op)}: ${message}`,
    hint === undefined ? {} : { hint },
  );
}

/** A link that goes down and up again. */
export class Flapping {
  readonly #kernel: Kernel;
  readonly #ends: readonly ImpairEnd[];
  #lost: readonly { readonly end: ImpairEnd; readonly config: LinkConfig }[] = [];

  constructor(ends: readonly ImpairEnd[], kernel: Kernel) {
    this.#ends = ends;
    this.#kernel = kernel;
  }

  down(): void {
    const [first] = this.#ends;
    if (first !== undefined) this.#kernel.openLab(first.lab);
    const lost: { end: ImpairEnd; config: LinkConfig }[] = [];
    this.#lost = lost;
    for (const end of this.#ends) lost.push({ end, config: this.#kernel.takeDown(end.place, end.ifname) });
  }

  /** With the addresses and routes that going down took; nothing where it is up. */
  up(): void {
    for (const { end, config } of this.#lost) this.#kernel.bringUp(end.place, end.ifname, config);
    this.#lost = [];
  }
}
