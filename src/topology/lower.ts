// A checked file to the lab that plan/ works on: every default filled in, every short form read, every `auto` allocated. Pure.
// It collects problems and goes on wherever it can; with an error among them there is no lab. What a lab means as a network
// (duplicate addresses, gateways out of reach, ...) is asked by rules/, over the lab.

import type { LabName, NodeName } from '../base/names.ts';
import { parseNodeName } from '../base/names.ts';
import type { Lab, Link, Node } from '../model/lab.ts';
import { type DraftNode, type Lowering, Report } from './draft.ts';
import { given } from './given.ts';
import { readAddresses } from './lower-addresses.ts';
import { allocate } from './lower-auto.ts';
import { lowerContainer } from './lower-container.ts';
import { lowerFirewall, lowerNat } from './lower-filter.ts';
import { lowerImpairs } from './lower-impair.ts';
import { lowerInterfaces, refTo } from './lower-interfaces.ts';
import { draftInterfaces, draftLinks } from './lower-links.ts';
import { assignIfnames } from './lower-names.ts';
import { draftNodes } from './lower-nodes.ts';
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
  /** What the lab is called when the file does not say. */
  readonly defaultName?: string | undefined;
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
  const prefix = options.prefix ?? file.prefix ?? '';
  const lab: Lowering = {
    file,
    prefix,
    report: new Report(),
    nodes: [],
    byName: new Map(),
    links: [],
    allocated: [],
  };
  const name = labName(lab, options);
  draftNodes(lab);
  draftInterfaces(lab);
  draftLinks(lab);
  assignIfnames(lab);
  readAddresses(lab);
  allocate(lab);
  const draft: Lab = {
    name,
    prefix,
    ...given({ description: file.description }),
    nodes: hostLast(lab.nodes).map((node) => lowerNode(lab, node)),
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

function lowerNode(lab: Lowering, node: DraftNode): Node {
  const interfaces = lowerInterfaces(lab, node);
  const nat = lowerNat(lab, node);
  return {
    name: node.name as NodeName,
    place: node.place,
    kind: node.kind,
    interfaces,
    routes: lowerRoutes(lab, node),
    rules: lowerRules(lab, node),
    neighbours: lowerNeighbours(lab, node),
    nat,
    ...given({ firewall: lowerFirewall(lab, node) }),
    sysctls: lowerSysctls(lab, node, { interfaces, nat }),
    hosts: lowerHosts(lab, node),
    ...given({ dns: lowerDns(lab, node) }),
    exec: lowerExec(lab, node),
    labels: lowerLabels(lab, node),
    ...given({ container: lowerContainer(lab, node) }),
    path: pathText(node.path),
  };
}

function labName(lab: Lowering, { prefix, defaultName }: LowerOptions): LabName {
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
  const parsed = parseNodeName(full);
  if (!parsed.ok)
    report.fail(
      given === undefined ? [] : ['name'],
      'NAME_INVALID',
      `lab name ${quote(full)} ${parsed.error}`,
    );
  return full as LabName;
}

function checkPrefix(lab: Lowering, ofFile: boolean): void {
  const parsed = parseNodeName(lab.prefix);
  if (parsed.ok) return;
  const message = `prefix ${quote(lab.prefix)} ${parsed.error}`;
  lab.report.fail(ofFile ? ['prefix'] : [], 'NAME_INVALID', message);
}
