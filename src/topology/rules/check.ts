// All rules, in the order in which a reader would check a lab. A rule is one function in a file of its own.

import type { Lab } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { bridgeLoop } from './bridge-loop.ts';
import { bridgePorts } from './bridge-ports.ts';
import { containers } from './containers.ts';
import { duplicateAddress } from './duplicate-address.ts';
import { duplicateMac } from './duplicate-mac.ts';
import { duplicateNeighbour } from './duplicate-neighbour.ts';
import { duplicateRoute } from './duplicate-route.ts';
import { forwarding } from './forwarding.ts';
import { gateway } from './gateway.ts';
import { hosts } from './hosts.ts';
import { interfaceNames } from './interface-names.ts';
import { type LabRule, LabView } from './lab-view.ts';
import { links } from './links.ts';
import { masters } from './masters.ts';
import { mtu } from './mtu.ts';
import { names } from './names.ts';
import { nat } from './nat.ts';
import { overlappingSubnets } from './overlapping-subnets.ts';
import { policyRules } from './policy-rules.ts';
import { routeSource } from './route-source.ts';
import { segmentSubnets } from './segment-subnets.ts';
import { unlinked } from './unlinked.ts';
import { usableAddress } from './usable-address.ts';
import { vlans } from './vlans.ts';
import { vxlans } from './vxlans.ts';

const rules: readonly LabRule[] = [
  names,
  links,
  masters,
  bridgePorts,
  bridgeLoop,
  unlinked,
  mtu,
  duplicateMac,
  vlans,
  vxlans,
  usableAddress,
  duplicateAddress,
  segmentSubnets,
  overlappingSubnets,
  interfaceNames,
  gateway,
  forwarding,
  duplicateRoute,
  duplicateNeighbour,
  routeSource,
  policyRules,
  nat,
  hosts,
  containers,
];

/** What is wrong with a lab as a network. Errors stop `up`, warnings are only printed. */
export function checkRules(lab: Lab): PathProblem[] {
  const view = new LabView(lab);
  return rules.flatMap((rule) => rule(view));
}
