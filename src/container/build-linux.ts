// The part of a runtime configuration that only Linux has: namespaces, devices, resources, sysctls, hidden paths. Pure.

import { ownsNetns } from '../model/container.ts';
import { type ContainerOptions, containerSysctls } from '../model/container-options.ts';
import { parseDevice } from '../model/container-text.ts';
import { timeOffsets } from '../model/time-offsets.ts';
import type { IdMaps } from '../model/userns.ts';
import { defaultDeviceRules, hostSecrets, maskedPaths, readonlyPaths } from './defaults.ts';
import type { BuildHost, ContainerNode } from './host.ts';
import { buildLimits } from './limits.ts';
import { must } from './options.ts';
import type { Device, DeviceRule, Linux, Mount, Namespace, Resources } from './runtime-spec.ts';

type LinuxInput = {
  readonly node: ContainerNode;
  readonly options: ContainerOptions;
  readonly host: BuildHost;
  readonly mounts: readonly Mount[];
  readonly hidesPaths: boolean;
  readonly maps?: IdMaps;
};

export function buildLinux(input: LinuxInput): Linux {
  const { node, options, host, maps } = input;
  const devices = buildDevices(options, host);
  const sysctl = buildSysctls(node);
  const offsets = timeOffsets(options.time_offsets);
  return {
    namespaces: [
      ...buildNamespaces(node, options, host),
      ...(maps === undefined ? [] : [userNamespace(node, host)]),
    ],
    ...(maps === undefined ? {} : { uidMappings: maps.uid, gidMappings: maps.gid }),
    ...(devices.length === 0 || maps !== undefined ? {} : { devices: devices.map(({ device }) => device) }),
    cgroupsPath: `/nslab/${host.lab}/${node.name}`,
    resources: buildResources(options, devices),
    ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
    ...(offsets === undefined ? {} : { timeOffsets: offsets }),
    maskedPaths: buildMaskedPaths(input),
    readonlyPaths: input.hidesPaths ? readonlyPaths : [],
  };
}

/** The network one is there with its wires; without a path of it the container is in the machine's own. */
function buildNamespaces(
  { place }: ContainerNode,
  { pid, ipc, time_offsets: offsets }: ContainerOptions,
  host: BuildHost,
): Namespace[] {
  const all = [
    'pid',
    'mount',
    'uts',
    'ipc',
    'cgroup',
    ...(timeOffsets(offsets) === undefined ? [] : (['time'] as const)),
  ] as const;
  const shared = new Set<string>([...(pid === 'host' ? ['pid'] : []), ...(ipc === 'host' ? ['ipc'] : [])]);
  const own = all.filter((type) => !shared.has(type)).map((type) => ({ type }));
  return place === null ? own : [...own, { type: 'network', path: host.netnsPath(place) }];
}

/** That which owns the container's network, so that its root may do there what it has the capabilities for; else a new one. */
function userNamespace(node: ContainerNode, host: BuildHost): Namespace {
  const { place } = node;
  return place === null || !ownsNetns(node)
    ? { type: 'user' }
    : { type: 'user', path: host.usernsPath(place) };
}

type AllowedDevice = { readonly device: Device; readonly access: string; readonly source: string };

function buildDevices(options: ContainerOptions, { facts }: BuildHost): AllowedDevice[] {
  const all = options.privileged === true ? facts.allDevices : [];
  const own = (options.devices ?? []).flatMap((text) => {
    const { source, target, access } = must(parseDevice(text));
    const found = facts.devices.get(source) ?? [];
    // Those of a folder keep their names below the target.
    return found.map((device) => {
      const path = `${target}${device.path.slice(source.length)}`;
      return { device: { ...device, path }, access, source: device.path };
    });
  });
  const named = new Set(own.map(({ device }) => device.path));
  const others = all.filter(({ path }) => !named.has(path));
  return [...others.map((device) => ({ device, access: 'rwm', source: device.path })), ...own];
}

/** The devices of the file as binds of the machine's, with the owners and modes that they have there. */
export function deviceMounts(options: ContainerOptions, host: BuildHost): Mount[] {
  return buildDevices(options, host).map(({ device: { path: destination }, source }) => {
    return { destination, type: 'bind', source, options: ['bind', 'rprivate', 'nosuid', 'noexec'] };
  });
}

function buildResources(options: ContainerOptions, devices: readonly AllowedDevice[]): Resources {
  return {
    devices:
      options.privileged === true
        ? [{ allow: true, access: 'rwm' }]
        : [...defaultDeviceRules, ...devices.map(deviceRule)],
    ...buildLimits(options),
  };
}

function deviceRule({ device: { type, major, minor }, access }: AllowedDevice): DeviceRule {
  return { allow: true, type, major, minor, access };
}

/** Those of the network namespace that the file sets are set with its wires; what is left is of the container's others. */
function buildSysctls({ place, sysctls = [] }: ContainerNode): Record<string, string> {
  const given = new Map(sysctls.map(({ key, value }) => [key, value]));
  const defaults = place === null ? [] : Object.entries(containerSysctls).filter(([key]) => !given.has(key));
  return Object.fromEntries([...defaults, ...[...given].filter(([key]) => !key.startsWith('net.'))]);
}

/** What the file mounts somewhere is meant to be seen. */
function buildMaskedPaths({ node, host, mounts, hidesPaths }: LinuxInput): string[] {
  const targets = mounts.map(({ destination }) => destination);
  const ofMachine = node.container?.rootfs === 'host' ? [...hostSecrets, ...host.facts.hostKeys] : [];
  return [
    ...(hidesPaths ? [...maskedPaths, ...host.facts.maskedPaths] : []),
    ...ofMachine.filter((path) => !targets.includes(path)),
  ];
}
