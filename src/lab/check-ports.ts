// Whether the ports that a lab publishes can be had, and whether its networks are still its own: asked before the first change, under
// the lock that all labs share, so that of two labs that come at once one is told.

import { prefixesOverlap } from '../base/ip.ts';
import { readState } from '../kernel/container-state.ts';
import type { Kernel, PortRefusal } from '../kernel/port.ts';
import type { Lab } from '../model/lab.ts';
import { bracketed, type PublishedPort, portCount, portsMeet } from '../model/network.ts';
import type { HostProblem } from '../plan/check-host.ts';
import { containerDir } from '../state/paths.ts';
import { hasLeftPorts } from './containers.ts';
import { hostOf, networkSubnets } from './machine.ts';

/** True where others may have what the lab wants. */
export function publishes(lab: Lab): boolean {
  const host = hostOf(lab);
  return (host?.networks ?? host?.ports) !== undefined;
}

/** Everything that others have already: their ports, and subnets that no route shows yet. */
export function checkPublished(lab: Lab, others: readonly Lab[], kernel: Kernel): HostProblem[] {
  const host = hostOf(lab);
  const problems = (host?.networks ?? []).flatMap(({ subnets, path }) =>
    subnets.flatMap(({ prefix }): HostProblem[] => {
      const rival = others.find((other) => networkSubnets(other).some((one) => prefixesOverlap(one, prefix)));
      if (rival === undefined) return [];
      const message = `the subnet ${prefix} is one of lab ${rival.name} already`;
      return [{ code: 'HOST_SUBNET_TAKEN', message, hint: 'try again, or choose another', path }];
    }),
  );
  const own = new Set(
    host?.interfaces.flatMap((one) => one.addresses.map(({ ip }) => ip.split('/')[0] ?? '')),
  );
  // An entry for both families is told once, and of a range the first port.
  const told = new Set<string>();
  for (const port of host?.ports ?? []) {
    if (told.has(port.path)) continue;
    const problem = checkPort(port, { others, kernel, own });
    if (problem === undefined) continue;
    told.add(port.path);
    problems.push(problem);
  }
  return problems;
}

type Around = { readonly others: readonly Lab[]; readonly kernel: Kernel; readonly own: ReadonlySet<string> };

function checkPort(port: PublishedPort, { others, kernel, own }: Around): HostProblem | undefined {
  const { proto, address, path } = port;
  for (const other of others) {
    // One that has ended will be told when it starts again.
    const rival = hostOf(other)?.ports?.find(
      (one) => portsMeet(one, port) && !hasLeftPorts(readState(containerDir(other.name, one.node))),
    );
    if (rival === undefined) continue;
    const number = Math.max(rival.port.from, port.port.from);
    return taken({ ...port, number }, `container ${rival.node} of lab ${other.name} publishes it`);
  }
  for (let i = 0; i < portCount(port.port); i++) {
    const number = port.port.from + i;
    const refusal = kernel.refusePort({ proto, address, port: number });
    if (refusal === undefined) continue;
    // The lab brings that address itself.
    if (refusal.code === 'EADDRNOTAVAIL' && own.has(address)) return undefined;
    return refused(refusal, { proto, address, number, path });
  }
  return undefined;
}

type One = Pick<PublishedPort, 'proto' | 'address' | 'path'> & { readonly number: number };

function nameOf({ proto, address, number }: Omit<One, 'path'>): string {
  return `${bracketed(address)}:${number}/${proto}`;
}

function taken(one: One, why: string): HostProblem {
  return {
    code: 'HOST_PORT_TAKEN',
    message: `port ${nameOf(one)} of the machine is taken: ${why}`,
    hint: 'publish another port, or on another address of the machine',
    path: one.path,
  };
}

function refused({ code, holder }: PortRefusal, one: One): HostProblem {
  if (code === 'EADDRINUSE') {
    const who =
      holder === undefined
        ? 'a process that cannot be seen from here'
        : `process ${holder.pid} (${holder.program})`;
    return taken(one, `${who} listens there`);
  }
  if (code === 'EADDRNOTAVAIL') {
    return {
      code: 'HOST_ADDRESS_MISSING',
      message: `the machine has no address ${one.address} to publish a port on`,
      hint: 'ip addr lists those that it has',
      path: one.path,
    };
  }
  return {
    code: 'HOST_PORT_TAKEN',
    message: `port ${nameOf(one)} of the machine cannot be had (${code})`,
    path: one.path,
  };
}
