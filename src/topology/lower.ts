// A checked file to the lab that plan/ works on: every default filled in, every short form read, every `auto` allocated. Pure.
// It collects problems and goes on wherever it can; with an error among them there is no lab. What a lab means as a network
// (duplicate addresses, gateways out of reach, ...) is asked by rules/, over the lab.

import type { LabName, NodeName } from '../base/names.ts';
import { parseNodeName } from '../base/names.ts';
import type { Lab, Link, Node } from '../model/lab.ts';
import type { MachineFacts } from '../model/network.ts';
import { type DraftNode, type Lowering, Report } from './draft.ts';
import { given } from './given.ts';
import { readAddresses } from './lower-addresses.ts';
import { allocate } from './lower-auto.ts';
import { lowerContainer } from './lower-container.ts';
import { lowerFirewall, lowerNat } from './lower-filter.ts';
import { lowerImpairs } from './lower-impair.ts';
import { lowerInterfaces, refTo } from './lower-interfaces.ts';
import { draftInterfaces, draftLinks } from './lower-links.ts';
import { assignIfnames, nameForCopy } from './lower-names.ts';
import { draftNetworks, lowerNetworks } from './lower-networks.ts';
import { draftNodes } from './lower-nodes.ts';
import { lowerPorts } from './lower-ports.ts';
import { lowerNeighbours, lowerRoutes } from './lower-routes.ts';
import { lowerRules } from './lower-rules.ts';
import { lowerDns, lowerExec, lowerHosts, lowerLabels, lowerSysctls } from './lower-settings.ts';
import { lowerTests } from './lower-tests.ts';
import { isError, type PathProblem, pathText } from './problems.ts';
import type { TopologyFile } from './schema.ts';
import { quote } from './values.ts';

export type LowerOptions = {
  /** Of the command line; goes before the one of the file. */
  readonly prefix?: string | undefined;
  /** Its number, where it is one of several copies. */
  readonly copy?: number | undefined;
  /** What the lab is called when the file does not say. */
  readonly defaultName?: string | undefined;
  /** What the machine has, asked only where the file leaves a subnet or a port open. */
  readonly machine?: ((lab: LabName) => MachineFacts) | undefined;
};

export type Lowered = {
  /** As far as it could be made: the rules want it even when there are problems. */
  readonly draft: Lab;
  /** There when no problem is an error. */
  readonly lab?: Lab;
  readonly problems: readonly PathProblem[];
};

/** Lowers a file that the schema has accepted. */
export function lowerLab(file: TopologyFile, options: LowerOptions): Lowered {
  const ownPrefix = options.prefix ?? file.prefix ?? '';
  const report = new Report();
  const single = labName({ file, prefix: ownPrefix, report }, options);
  const copy = options.copy === undefined ? undefined : { of: single, number: options.copy };
  const name = copy === undefined ? single : (`${single}-${copy.number}` as LabName);
  const prefix = copy === undefined ? ownPrefix : `${name}-`;
  let facts: MachineFacts | undefined;
  const lab: Lowering = {
    file,
    name,
    prefix,
    copy,
    report,
    nodes: [],
    byName: new Map(),
    links: [],
    allocated: [],
    networks: [],
    pools: {},
    machine: () => {
      facts ??= options.machine?.(name);
      return facts;
    },
  };
  draftNodes(lab);
  draftInterfaces(lab);
  draftLinks(lab);
  nameForCopy(lab);
  draftNetworks(lab);
  assignIfnames(lab);
  readAddresses(lab);
  allocate(lab);
  const draft: Lab = {
    name,
    prefix,
    ...given({ copy, description: file.description }),
    nodes: lowerNodes(lab),
    links: lab.links.map((link): Link => {
      const [a, b] = link.ends;
      return {
        ends: [refTo(a), refTo(b)],
        impair: lowerImpairs(lab, link.file, link.path),
        path: pathText(link.path),
      };
    }),
    tests: lowerTests(lab),
    allocated: lab.allocated,
  };
  const { problems } = lab.report;
  return problems.some(isError) ? { draft, problems } : { draft, lab: draft, problems };
}

function hostLast(nodes: readonly DraftNode[]): DraftNode[] {
  return [...nodes.filter((node) => node.place !== null), ...nodes.filter((node) => node.place === null)];
}

function lowerNodes(lab: Lowering): Node[] {
  const nodes = hostLast(lab.nodes).map((node) => lowerNode(lab, node));
  // What they ask of a machine that the file does not mention is told as well.
  if (nodes.at(-1)?.place !== null) lowerPorts(lab, undefined);
  return nodes;
}

function lowerNode(lab: Lowering, node: DraftNode): Node {
  const interfaces = lowerInterfaces(lab, node);
  const routes = lowerRoutes(lab, node);
  const nat = lowerNat(lab, node);
  // Absent where there are none, so that other labs are as they were.
  const networks = node.place === null && lab.networks.length > 0 ? lowerNetworks(lab) : undefined;
  const published = node.place === null ? lowerPorts(lab, { interfaces, routes }) : [];
  const ports = published.length > 0 ? published : undefined;
  return {
    name: node.name as NodeName,
    place: node.place,
    kind: node.kind,
    interfaces,
    routes,
    rules: lowerRules(lab, node),
    neighbours: lowerNeighbours(lab, node),
    nat,
    ...given({ firewall: lowerFirewall(lab, node), networks, ports }),
    sysctls: lowerSysctls(lab, node, { interfaces, nat, networks, ports }),
    hosts: lowerHosts(lab, node),
    ...given({ dns: lowerDns(lab, node) }),
    exec: lowerExec(lab, node),
    ...(node.file.exec_failure === 'tell' ? { execMayFail: true as const } : {}),
    labels: lowerLabels(lab, node),
    ...given({ container: lowerContainer(lab, node) }),
    path: pathText(node.path),
  };
}

type Named = Pick<Lowering, 'file' | 'prefix' | 'report'>;

function labName(lab: Named, { prefix, defaultName, copy }: LowerOptions): LabName {
  const { file, report } = lab;
  if (lab.prefix !== '') checkPrefix(lab, prefix === undefined);
  const own = file.name === undefined ? undefined : String(file.name);
  const name = own ?? defaultName;
  if (name === undefined) {
    report.add({
      code: 'MISSING_KEY',
      message: 'the lab has no `name`',
      hint: 'add "name: my-lab"',
      path: [],
    });
    return 'lab' as LabName;
  }
  const full = lab.prefix + name;
  const parsed = parseNodeName(copy === undefined ? full : `${full}-${copy}`);
  if (!parsed.ok)
    report.fail(
      given === undefined ? [] : ['name'],
      'NAME_INVALID',
      `lab name ${quote(full)} ${parsed.error}`,
    );
  return full as LabName;
}

function checkPrefix(lab: Named, ofFile: boolean): void {
  const parsed = parseNodeName(lab.prefix);
  if (parsed.ok) return;
  const message = `prefix ${quote(lab.prefix)} ${parsed.error}`;
  lab.report.fail(ofFile ? ['prefix'] : [], 'NAME_INVALID', message);
}
