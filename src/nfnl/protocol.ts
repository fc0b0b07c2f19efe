// What a rule knows of the packet's protocols at each of its matches. nft(8) adds the matches that others need (`tcp dport`
// needs `meta l4proto tcp`, and that only in inet tables `ip saddr` needs `meta nfproto ipv4`), and refuses those that exclude
// each other; so does this, for the same cases (payload_gen_dependency, src/payload.c of nftables).

import { assertNever } from '../base/result.ts';
import { InvalidRule } from './invalid-rule.ts';
import type { NftFamily, NftMatch, NftReject, NftRule, NftStatement } from './ruleset.ts';
import { l4protoNumbers, l4protoWords, wordOf } from './symbols.ts';

/** What is known, or what has to be matched in addition. */
export type ProtocolContext = {
  readonly network?: 'ip' | 'ip6';
  /** A protocol's nft name, or {@link several} after a list of them. */
  readonly transport?: string;
};

const several = 'several protocols';

type Step = { readonly match: NftMatch; readonly implied: readonly ProtocolContext[] };

/** The matches, each with what it implies that was not known before it. Throws InvalidRule for a contradiction. */
export function protocolsAt(family: NftFamily, matches: readonly NftMatch[]): Step[] {
  return walk(family, matches).steps;
}

type Walk = { readonly steps: Step[]; readonly known: ProtocolContext };

const nothing: ProtocolContext = {};

function walk(family: NftFamily, matches: readonly NftMatch[]): Walk {
  let known: ProtocolContext = family === 'inet' ? nothing : { network: family };
  const steps: Step[] = [];
  for (const match of matches) {
    const implied = missing(known, needsOf(match, known));
    if (implied !== nothing) known = { ...known, ...implied };
    const said = saidBy(family, match, known);
    if (said !== nothing) known = { ...known, ...said };
    steps.push({ match, implied: implied === nothing ? [] : [implied] });
  }
  return { steps, known };
}

/** What has to hold for the match to make sense. */
function needsOf(match: NftMatch, known: ProtocolContext): ProtocolContext {
  switch (match.match) {
    case 'saddr':
    case 'daddr':
      return { network: match.protocol };
    case 'sport':
    case 'dport':
      if (match.protocol !== 'th') return { transport: match.protocol };
      if (known.transport === undefined) throw new InvalidRule('"th" needs a match of l4proto before it');
      return nothing;
    case 'icmp type': {
      const network = match.protocol === 'icmp' ? 'ip' : 'ip6';
      const transport = match.protocol === 'icmp' ? 'icmp' : 'ipv6-icmp';
      // nft takes a match of l4proto as enough, and so does the kernel: the other family has no such protocol.
      if (known.transport === transport && known.network === undefined) return { transport };
      return { network, transport };
    }
    case 'iifname':
    case 'oifname':
    case 'nfproto':
    case 'l4proto':
    case 'ct state':
    case 'ct status':
    case 'fib daddr type':
    case 'mark':
      return nothing;
    default:
      return assertNever(match);
  }
}

function missing(known: ProtocolContext, needs: ProtocolContext): ProtocolContext {
  const network = lacks(known.network, needs.network);
  const transport = lacks(known.transport, needs.transport);
  if (!network && !transport) return nothing;
  return {
    ...(network ? { network: needs.network } : nothing),
    ...(transport ? { transport: needs.transport } : nothing),
  } as ProtocolContext;
}

function lacks(known: string | undefined, needed: string | undefined): boolean {
  if (needed === undefined || needed === known) return false;
  if (known === undefined) return true;
  throw new InvalidRule(`conflicting protocols: ${known} and ${needed}`);
}

/** What the match itself tells about the protocols. */
function saidBy(family: NftFamily, match: NftMatch, known: ProtocolContext): ProtocolContext {
  if (match.match === 'nfproto') {
    if (family !== 'inet') throw new InvalidRule('meta nfproto is only useful in the inet family');
    if (match.op === '!=') return nothing;
    const network = match.value === 'ipv4' ? 'ip' : 'ip6';
    missing(known, { network });
    return { network };
  }
  if (match.match !== 'l4proto' || match.op === '!=') return nothing;
  const [only, ...more] = new Set(match.protocols.map(protocolWord));
  if (only === undefined) return nothing;
  const transport = more.length > 0 ? several : only;
  missing(known, { transport });
  return { transport };
}

function protocolWord(protocol: string | number): string {
  const number = typeof protocol === 'number' ? protocol : l4protoNumbers[protocol];
  return number === undefined ? String(protocol) : wordOf(l4protoWords, number);
}

/**
 * The rule with nothing left to guess: the matches that its last statement needs are there, a plain reject has its type, and
 * a source port stands before the destination port, which is the order in which nft prints the two.
 */
export function completeRule(family: NftFamily, rule: NftRule): NftRule {
  const matches = portsInOrder(rule.matches);
  const { known } = walk(family, matches);
  const added: NftMatch[] = [];
  const statements = rule.statements.map((statement) => {
    if (statement.statement !== 'reject') {
      assertNatFits(known, statement);
      return statement;
    }
    const complete = { ...statement, with: statement.with ?? defaultReject(known) };
    added.push(...rejectNeeds(family, known, complete.with));
    return complete;
  });
  return { ...rule, matches: [...matches, ...added], statements };
}

function portsInOrder(matches: readonly NftMatch[]): NftMatch[] {
  const ordered = [...matches];
  for (let i = 0; i + 1 < ordered.length; i++) {
    const [a, b] = [ordered[i], ordered[i + 1]];
    if (a?.match === 'dport' && b?.match === 'sport' && a.protocol === b.protocol) {
      ordered[i] = b;
      ordered[i + 1] = a;
    }
  }
  return ordered;
}

/** What nft takes for `reject` alone. */
function defaultReject({ network }: ProtocolContext): NftReject {
  if (network === 'ip') return { type: 'icmp', code: 'port-unreachable' };
  if (network === 'ip6') return { type: 'icmpv6', code: 'port-unreachable' };
  return { type: 'icmpx', code: 'port-unreachable' };
}

function rejectNeeds(family: NftFamily, known: ProtocolContext, reject: NftReject): NftMatch[] {
  if (reject.type === 'tcp reset') {
    if (missing(known, { transport: 'tcp' }).transport === undefined) return [];
    return [{ match: 'l4proto', protocols: ['tcp'] }];
  }
  if (reject.type === 'icmpx') {
    if (family !== 'inet') throw new InvalidRule('reject with icmpx is for inet tables');
    return [];
  }
  const network = reject.type === 'icmp' ? 'ip' : 'ip6';
  if (missing(known, { network }).network === undefined) return [];
  return [{ match: 'nfproto', value: network === 'ip' ? 'ipv4' : 'ipv6' }];
}

/** Port numbers are rewritten only where the rule has made sure that the packet has some. */
function assertNatFits(known: ProtocolContext, statement: NftStatement): void {
  const { statement: kind } = statement;
  if (kind !== 'masquerade' && kind !== 'snat' && kind !== 'dnat' && kind !== 'redirect') return;
  if (statement.port !== undefined && known.transport === undefined) {
    throw new InvalidRule(`${kind} to a port needs a match of the transport protocol, as tcp dport 80`);
  }
  if ((kind === 'snat' || kind === 'dnat') && statement.address !== undefined) {
    missing(known, { network: statement.address.from.includes(':') ? 'ip6' : 'ip' });
  }
}
