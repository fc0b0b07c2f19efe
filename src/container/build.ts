// A node of the lab as a configuration of the OCI runtime specification, with Docker's defaults where the file says nothing.
// Pure: what it must know of the machine comes in `host`. Defaults and their sources are in defaults.ts.

import { NslabError } from '../base/error.ts';
import { parseSignal } from '../base/signals.ts';
import type { ContainerOptions } from '../model/container-options.ts';
import { parseSecurity, type SecurityText } from '../model/container-text.ts';
import { portCount } from '../model/network.ts';
import { type IdMaps, usernsOf } from '../model/userns.ts';
import { buildLinux, deviceMounts } from './build-linux.ts';
import { buildMounts } from './build-mounts.ts';
import { buildProcess, hasNoCommand } from './build-process.ts';
import { healthDefaults, LOG_FILES, LOG_MAX_BYTES, OCI_VERSION, SIGTERM, STOP_GRACE_MS } from './defaults.ts';
import type { BuildHost, ContainerNode } from './host.ts';
import { optionsOf } from './node-options.ts';
import { durationOf, must } from './options.ts';
import { hostPath } from './paths.ts';
import type { Extension, Health, Port, Restart, RuntimeSpec, SeccompChoice } from './runtime-spec.ts';

/** @throws NslabError CONTAINER_... where the machine does not have what the file names */
export function buildSpec(node: ContainerNode, host: BuildHost): RuntimeSpec {
  const options = optionsOf(node);
  const security = securityOf(options);
  const privileged = options.privileged === true;
  const hostname = options.hostname ?? node.name;
  const lowers = rootLayers(node, host);
  const labels = { ...node.image?.settings.Labels, ...node.labels };
  const isHostRootfs = node.container?.rootfs === 'host';
  const maps = mapsOf(node);
  const built = buildMounts({
    options,
    host,
    hostname,
    isHostRootfs,
    ...(maps === undefined ? {} : { maps }),
  });
  const { volumes, files } = built;
  // Nobody in a user namespace may make a device.
  const mounts = maps === undefined ? built.mounts : [...built.mounts, ...deviceMounts(options, host)];
  const hidesPaths = !privileged && security.systemPaths !== 'unconfined';
  const noNewPrivileges = security.noNewPrivileges ?? !privileged;
  return {
    ociVersion: OCI_VERSION,
    process: buildProcess({
      options,
      host,
      hostname,
      noNewPrivileges,
      imageEnv: node.image?.settings.Env ?? [],
    }),
    root: { path: lowers[0], ...(options.read_only === true ? { readonly: true } : {}) },
    hostname,
    mounts,
    ...(Object.keys(labels).length === 0 ? {} : { annotations: labels }),
    linux: buildLinux({ node, options, host, mounts, hidesPaths, ...(maps === undefined ? {} : { maps }) }),
    nslab: {
      lab: host.lab,
      node: node.name,
      overlay: {
        lowers,
        upper: `${host.var}/upper`,
        work: `${host.var}/work`,
        ...(host.copiesLayers === true && node.image !== undefined ? { copied: true } : {}),
      },
      ...(options.user === undefined ? {} : { user: String(options.user) }),
      seccomp: seccompOf(security, privileged, host),
      ...engineOf(options),
      log: { path: `${host.var}/log`, maxBytes: LOG_MAX_BYTES, files: LOG_FILES },
      volumes,
      ...(node.ports === undefined ? {} : { ports: node.ports.map(portOf) }),
      files,
    },
  };
}

/** The ids of the container on the machine, where it has a user namespace. */
function mapsOf(node: ContainerNode): IdMaps | undefined {
  const userns = usernsOf(node);
  // Before anything is made for the lab, `auto` is replaced by the ids it has got.
  if (userns.mode === 'auto') throw new Error(`userns of ${node.name} has no ids yet`);
  return userns.mode === 'map' ? userns.maps : undefined;
}

function portOf({ proto, address, port, to }: NonNullable<ContainerNode['ports']>[number]): Port {
  const count = portCount(port);
  return { proto, address, port: port.from, count, target: to.address, targetPort: to.port.from };
}

/** The folders that are the root file system below the container's own layer, the top one first. */
export function rootLayers(
  { name, container, image }: ContainerNode,
  host: Pick<BuildHost, 'folder' | 'env'>,
): readonly [string, ...string[]] {
  const rootfs = container?.rootfs;
  if (rootfs !== undefined) return [rootfs === 'host' ? '/' : hostPath(rootfs, host)];
  const [top, ...rest] = image?.layers ?? [];
  if (top !== undefined) return [top, ...rest];
  throw new NslabError('CONTAINER_ROOTFS', `${name}: the image has no layers, so there are no files to run`);
}

function securityOf({ security_opt = [] }: ContainerOptions): SecurityText {
  return Object.assign({}, ...security_opt.map((text) => must(parseSecurity(text))));
}

function seccompOf({ seccomp }: SecurityText, privileged: boolean, host: BuildHost): SeccompChoice {
  if (seccomp === undefined) return { profile: privileged ? 'unconfined' : 'default' };
  if (seccomp === 'unconfined' || seccomp === 'default') return { profile: seccomp };
  return { profile: 'file', path: hostPath(seccomp, host) };
}

/** What the monitor does. */
function engineOf(
  options: ContainerOptions,
): Pick<Extension, 'init' | 'stdinOpen' | 'restart' | 'stop' | 'health'> {
  const health = healthOf(options);
  return {
    // `sleep` as process 1 would not hear SIGTERM.
    init: options.init ?? hasNoCommand(options),
    stdinOpen: options.stdin_open === true,
    restart: restartOf(options),
    stop: {
      signal: options.stop_signal === undefined ? SIGTERM : must(parseSignal(options.stop_signal)),
      graceMs: durationOf(options.stop_grace_period, STOP_GRACE_MS),
    },
    ...(health === undefined ? {} : { health }),
  };
}

function restartOf({ restart }: ContainerOptions): Restart {
  const [policy = 'no', max] = typeof restart === 'string' ? restart.split(':') : [];
  return { policy: policy as Restart['policy'], max: Number(max ?? 0) };
}

function healthOf({ healthcheck }: ContainerOptions): Health | undefined {
  const argv = testOf(healthcheck?.test);
  if (healthcheck === undefined || healthcheck.disable === true || argv === undefined) return undefined;
  return {
    argv,
    intervalMs: durationOf(healthcheck.interval, healthDefaults.intervalMs),
    timeoutMs: durationOf(healthcheck.timeout, healthDefaults.timeoutMs),
    retries: healthcheck.retries ?? healthDefaults.retries,
    startPeriodMs: durationOf(healthcheck.start_period, healthDefaults.startPeriodMs),
    startIntervalMs: durationOf(healthcheck.start_interval, healthDefaults.startIntervalMs),
  };
}

/** A text is for a shell; a list begins with what it is. */
function testOf(test: string | readonly string[] | undefined): readonly string[] | undefined {
  if (test === undefined || test === 'NONE') return undefined;
  if (typeof test === 'string') return ['/bin/sh', '-c', test];
  const [kind, ...rest] = test;
  if (kind === 'NONE' || rest.length === 0) return undefined;
  return kind === 'CMD' ? rest : ['/bin/sh', '-c', rest.join(' ')];
}
