// The steps that only the change of a lab has: what is taken away from a lab that stays up. As with `down`, what is gone already
// is as good; unlike there, it happens in any of the lab's namespaces, and in the middle of other steps.

import { spawnSync } from 'node:child_process';
import type { IfName } from '../base/names.ts';
import { assertNever } from '../base/result.ts';
import type { Place } from '../model/lab.ts';
import { dropPin, unnameNetns } from '../netns/pin.ts';
import { deleteTable } from '../nfnl/apply.ts';
import type { ChangeOp, Step } from '../plan/op.ts';
import { delLink, delLinkGroup, getLink, setLink } from '../rtnl/link.ts';
import type { Request } from '../rtnl/message.ts';
import { NETLINK_NETFILTER, Transport } from '../rtnl/transport.ts';
import { containerDir, usernsPinOf } from '../state/paths.ts';
import { failureFrom, failureOfThrown } from './failure.ts';
import { helperPath } from './helper.ts';
import type { Places } from './places.ts';
import type { OpFailure, RunResult } from './port.ts';
import { type Lookup, NoDevice, type RemoveOp, removeRequest } from './requests.ts';
import { gone, labOf, undoOnHost } from './undo.ts';

const removals: ReadonlySet<Step['kind']> = new Set<RemoveOp['kind']>([
  'delAltname',
  'delAddress',
  'delRoute',
  'delRule',
  'delNeighbour',
  'delFdb',
  'setBridge',
]);

const kinds: ReadonlySet<Step['kind']> = new Set<Step['kind']>([
  ...removals,
  'delLinks',
  'delTable',
  'dropNetns',
  'startAgain',
  'undo',
]);

/** Any but the groups that labs and people use: of devices that go within one message. */
const GOING = 0x3fff_fff0;

export function isChange(step: Step): step is ChangeOp {
  return kinds.has(step.kind);
}

/** The end of a run of removals that can share one batch with the step at `from`. */
export function changesEnd(steps: readonly Step[], from: number): number {
  const first = steps[from];
  let end = from + 1;
  if (first === undefined || !removals.has(first.kind)) return end;
  const { place } = first as RemoveOp;
  for (; end < steps.length; end++) {
    const step = steps[end];
    if (step === undefined || !removals.has(step.kind) || (step as RemoveOp).place !== place) break;
  }
  return end;
}

export class Changes {
  readonly #places: Places;
  readonly #lookup: Lookup;

  constructor(places: Places, lookup: Lookup) {
    this.#places = places;
    this.#lookup = lookup;
  }

  /** One step, or a run of them as {@link changesEnd} says. */
  run(batch: readonly ChangeOp[]): RunResult {
    const [first] = batch;
    if (first === undefined) return { done: 0 };
    if (removals.has(first.kind)) return this.#remove(batch as readonly RemoveOp[]);
    try {
      return this.#alone(first as Exclude<ChangeOp, RemoveOp>);
    } catch (error) {
      return { done: 0, failure: failureOfThrown(error) };
    }
  }

  #remove(batch: readonly RemoveOp[]): RunResult {
    const [first] = batch;
    const requests: Request[] = [];
    const numbers: number[] = [];
    for (const [number, op] of batch.entries()) {
      try {
        requests.push(removeRequest(op, this.#lookup));
        numbers.push(number);
      } catch (error) {
        // With the device everything on it has gone.
        if (!(error instanceof NoDevice)) throw error;
      }
    }
    const results = this.#places.route(first?.place ?? null).batch(requests);
    for (const [i, refused] of results.entries()) {
      const number = numbers[i] ?? 0;
      const op = batch[number];
      if (refused === undefined || op === undefined || gone.has(refused.code)) continue;
      return { done: number, failure: failureFrom(refused, op) };
    }
    return { done: batch.length };
  }

  #alone(op: Exclude<ChangeOp, RemoveOp>): RunResult {
    switch (op.kind) {
      case 'delLinks':
        this.#delLinks(op.place, op.ifnames);
        return { done: 1 };
      case 'delTable': {
        this.#places.enter(op.place);
        using netfilter = Transport.open(NETLINK_NETFILTER);
        deleteTable(netfilter, op.family, op.name);
        return { done: 1 };
      }
      case 'dropNetns': {
        const lab = labOf(this.#places);
        const pin = this.#places.pin(op.netns);
        this.#places.drop(op.netns);
        unnameNetns(op.netns, pin);
        dropPin(pin);
        dropPin(usernsPinOf(lab, op.netns));
        return { done: 1 };
      }
      case 'startAgain': {
        const failure = startAgain(containerDir(labOf(this.#places), op.node));
        return failure === undefined ? { done: 1 } : { done: 0, failure };
      }
      case 'undo': {
        const { failure, notes } = undoOnHost(op.undo, this.#places);
        this.#places.forgetIndexes();
        return failure === undefined ? { done: 1, notes } : { done: 0, failure };
      }
      default:
        return assertNever(op);
    }
  }

  /** Each message that deletes waits for an RCU grace period, some 20 ms: in a namespace of the lab one does for all of them. */
  #delLinks(place: Place, ifnames: readonly IfName[]): void {
    const route = this.#places.route(place);
    const indexes = ifnames.flatMap((ifname) => getLink(route, { ifname })?.ifindex ?? []);
    this.#places.forgetIndexes();
    const marked = place !== null && indexes.length > 1;
    const requests = marked
      ? [...indexes.map((ifindex) => setLink({ ifindex }, { group: GOING })), delLinkGroup(GOING)]
      : indexes.map((ifindex) => delLink({ ifindex }));
    const refused = route.batch(requests).find((failure) => failure !== undefined && !gone.has(failure.code));
    if (refused !== undefined) throw Object.assign(new Error(refused.message), { code: refused.code });
  }
}

/** By its monitor where that lives, else by a new one. */
function startAgain(folder: string): OpFailure | undefined {
  for (const words of [
    ['_control', folder, 'start'],
    ['_start', folder],
  ]) {
    const { status, stdout } = spawnSync(helperPath(), words, { encoding: 'utf8' });
    if (status === 0 && !stdout.includes('error')) return undefined;
  }
  return { code: 'CONTAINER', message: 'it does not start again' };
}
