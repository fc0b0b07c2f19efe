// `nslab stats`: what passes the interfaces of labs and what containers use, again and again until it is interrupted, or once.

import { setTimeout as pause } from 'node:timers/promises';
import { type Container, findContainer, listContainers, stateOf } from '../../lab/containers.ts';
import {
  type InterfaceTarget,
  type InterfaceUsage,
  interfaceUsageBetween,
  takeInterfaceSample,
} from '../../lab/interface-stats.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { takeSample, type Usage, usageBetween } from '../../lab/stats.ts';
import { chooseTargets, labsNamed, labTargets } from '../../lab/targets.ts';
import { bytesText } from '../output/bytes.ts';
import { renderTable } from '../output/table.ts';

type Args = {
  names?: string[];
  lab?: string;
  interfaces: boolean;
  containers: boolean;
  stream: boolean;
  json: boolean;
};

/** What is looked at; undefined for the kind that is not. */
type Subject = {
  readonly containers: (() => Container[]) | undefined;
  readonly targets: (() => InterfaceTarget[]) | undefined;
};

type Answer = {
  readonly interfaces: readonly InterfaceUsage[] | undefined;
  readonly containers: readonly Usage[] | undefined;
};

const EVERY_MS = 1000;
/** Long enough for a share of processor time to mean something. */
const ONCE_MS = 250;

export async function run(args: Args): Promise<void> {
  assertRoot('stats');
  const { stream } = args;
  const subject = subjectOf(args);
  const look = async () => {
    const containers = subject.containers?.();
    const targets = subject.targets?.();
    return {
      containers,
      usage: containers === undefined ? undefined : takeSample(containers),
      interfaces: targets === undefined ? undefined : await takeInterfaceSample(targets),
    };
  };
  for (let before = await look(); ; ) {
    await pause(stream ? EVERY_MS : ONCE_MS);
    const after = await look();
    print(
      {
        interfaces:
          before.interfaces && after.interfaces && interfaceUsageBetween(before.interfaces, after.interfaces),
        containers:
          before.usage && after.usage && usageBetween(before.usage, after.usage, after.containers ?? []),
      },
      args,
    );
    if (!stream) return;
    before = after;
  }
}

/** Containers that are named are what is asked about; a lab or a bare node has interfaces. Without names there is everything. */
function subjectOf({ names = [], lab, interfaces, containers }: Args): Subject {
  const all = containers === interfaces;
  const words = names.map(String);
  const running = (list: readonly Container[]): Container[] => list.filter(hasProcess);
  if (words.length === 0) {
    return {
      containers: all || containers ? () => running(listContainers(lab)) : undefined,
      targets: all || interfaces ? () => labTargets(lab) : undefined,
    };
  }
  const known = new Set(
    listContainers(lab).flatMap(({ node, model }) => [node as string, model.place ?? '']),
  );
  const named = words.filter((word) => known.has(word)).map((word) => findContainer(word, lab));
  const labs = interfaces ? [] : labsNamed(words.filter((word) => !known.has(word)));
  const nodes = words.filter((word) => !labs.includes(word) && (interfaces || !known.has(word)));
  const wantsContainers = !interfaces && (named.length > 0 || labs.length > 0 || containers);
  const wantsTargets = !containers && (nodes.length > 0 || labs.length > 0);
  const chosen = nodes.length === 0 ? undefined : chooseTargets(nodes, lab);
  const targets = [
    ...labs.flatMap((one) => labTargets(one)),
    ...(chosen?.targets.map((target) => ({ ...target, lab: chosen.lab.name as string })) ?? []),
  ];
  return {
    containers: wantsContainers
      ? () => running([...named, ...labs.flatMap((one) => listContainers(one))])
      : undefined,
    targets: wantsTargets ? () => targets : undefined,
  };
}

function hasProcess(container: Container): boolean {
  const status = stateOf(container)?.status;
  return status === 'running' || status === 'paused';
}

function print(answer: Answer, { json, stream }: { json: boolean; stream: boolean }): void {
  const { interfaces, containers } = answer;
  if (json) {
    const document = interfaces && containers ? { interfaces, containers } : (interfaces ?? containers ?? []);
    process.stdout.write(stream ? `${JSON.stringify(document)}\n` : `${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const shown = [
    ...(interfaces === undefined ? [] : [interfaceTable(interfaces)]),
    // Of a lab of bare namespaces there is nothing to say.
    ...(containers === undefined || (interfaces !== undefined && containers.length === 0)
      ? []
      : [containerTable(containers)]),
  ];
  // Home, and what is below the table cleared: the table stands still on a terminal.
  const home = stream && process.stdout.isTTY ? '\x1b[H\x1b[J' : '';
  process.stdout.write(home + shown.join('\n'));
}

function interfaceTable(usage: readonly InterfaceUsage[]): string {
  if (usage.length === 0) return 'no interface is there\n';
  const rows = usage.map((one) => [
    `${one.node}:${one.interface}`,
    one.lab,
    one.up ? 'up' : 'down',
    rateText(one.rxPacketRate),
    rateText(one.rxBitRate),
    rateText(one.txPacketRate),
    rateText(one.txBitRate),
    `${one.rxPackets} / ${bytesText(one.rxBytes)}`,
    `${one.txPackets} / ${bytesText(one.txBytes)}`,
    `${one.rxDropped + one.rxErrors} / ${one.txDropped + one.txErrors}`,
  ]);
  const rates = ['IN pkt/s', 'IN bit/s', 'OUT pkt/s', 'OUT bit/s'];
  return renderTable(['INTERFACE', 'LAB', 'STATE', ...rates, 'IN ALL', 'OUT ALL', 'LOST IN / OUT'], rows);
}

/** `12.3M`, in steps of a thousand, as rates have them. */
function rateText(rate: number | null): string {
  if (rate === null) return '-';
  const units = ['', 'k', 'M', 'G', 'T'];
  const power = rate < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(rate) / 3));
  const value = rate / 1000 ** power;
  return `${value < 10 && value % 1 !== 0 ? value.toFixed(1) : Math.round(value)}${units[power]}`;
}

function containerTable(usage: readonly Usage[]): string {
  const rows = usage.map((one) => [
    one.node,
    one.lab,
    one.cpus === null ? '-' : `${(one.cpus * 100).toFixed(1)}%`,
    `${bytesText(one.memory)} / ${one.memoryLimit === null ? 'no limit' : bytesText(one.memoryLimit)}`,
    `${one.pids ?? '-'}${one.pidsLimit === null ? '' : ` / ${one.pidsLimit}`}`,
    `${bytesText(one.read)} / ${bytesText(one.written)}`,
  ]);
  const head = ['CONTAINER', 'LAB', 'CPU', 'MEMORY', 'PIDS', 'READ / WRITTEN'];
  return rows.length === 0 ? 'no container is running\n' : renderTable(head, rows);
}
