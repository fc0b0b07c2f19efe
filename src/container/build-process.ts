// The process of a runtime configuration: command, environment, capabilities, limits. Pure.

import { capabilities, capabilityMask, capabilityNames } from '../base/capabilities.ts';
import { NslabError } from '../base/error.ts';
import { rlimits } from '../base/rlimits.ts';
import type { ContainerOptions } from '../model/container-options.ts';
import { cleanPath, parseCommand, splitVariable } from '../model/container-text.ts';
import { DEFAULT_PATH, defaultCapabilities, idleCommand } from './defaults.ts';
import { parseEnvFile } from './env-file.ts';
import type { BuildHost } from './host.ts';
import { listOf, must } from './options.ts';
import { hostPath } from './paths.ts';
import type { Process, Rlimit } from './runtime-spec.ts';

type ProcessInput = {
  readonly options: ContainerOptions;
  readonly host: BuildHost;
  readonly hostname: string;
  readonly noNewPrivileges: boolean;
  /** Lines K=V. */
  readonly imageEnv: readonly string[];
};

export function buildProcess(input: ProcessInput): Process {
  const { options, noNewPrivileges } = input;
  const terminal = options.tty === true;
  const granted = grantedCapabilities(options);
  return {
    ...(terminal ? { terminal, consoleSize: { height: 24, width: 80 } } : {}),
    cwd: cleanPath(options.working_dir ?? '/'),
    env: buildEnv(input),
    args: commandOf(options),
    user: { uid: 0, gid: 0, umask: 0o022 },
    // Inheritable and ambient stay empty: what a program gains by being executed, its file says (CVE-2022-24769).
    capabilities: { bounding: granted, effective: granted, permitted: granted },
    ...(options.ulimits === undefined ? {} : { rlimits: buildRlimits(options.ulimits) }),
    noNewPrivileges,
  };
}

/** True where neither the file nor an image says what runs. */
export function hasNoCommand({ entrypoint, command }: ContainerOptions): boolean {
  return must(parseCommand(entrypoint)).length + must(parseCommand(command)).length === 0;
}

function commandOf(options: ContainerOptions): readonly string[] {
  if (hasNoCommand(options)) return idleCommand;
  return [...must(parseCommand(options.entrypoint)), ...must(parseCommand(options.command))];
}

/** Later ones win: the defaults, then the image, then the files, then the node's own. */
function buildEnv({ options, host, hostname, imageEnv }: ProcessInput): string[] {
  const variables = new Map<string, string>([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', hostname],
    ...(options.tty === true ? [['TERM', 'xterm'] as const] : []),
  ]);
  for (const line of imageEnv) {
    const { name, value = '' } = splitVariable(line);
    variables.set(name, value);
  }
  for (const [name, value] of [...fileVariables(options, host), ...ownVariables(options)]) {
    const known = value ?? host.env[name];
    // A name alone that the environment does not have is not set, and hides what came before.
    if (known === undefined) variables.delete(name);
    else variables.set(name, known);
  }
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

type Variable = readonly [string, string | undefined];

function fileVariables(options: ContainerOptions, host: BuildHost): Variable[] {
  return listOf(options.env_files).flatMap((file) => {
    const path = hostPath(file, host);
    const text = host.facts.envFiles.get(path);
    if (text === undefined) throw new Error(`the facts lack ${path}`);
    const parsed = parseEnvFile(text);
    if (!parsed.ok) throw new NslabError('CONTAINER_FILE', `env_files: ${path} ${parsed.error}`);
    return parsed.value;
  });
}

function ownVariables({ env = {} }: ContainerOptions): Variable[] {
  if (!Array.isArray(env)) {
    return Object.entries(env).map(([name, value]) => [name, value === null ? undefined : String(value)]);
  }
  return (env as readonly string[]).map((line) => {
    const { name, value } = splitVariable(line);
    return [name, value];
  });
}

const everything = capabilityMask(capabilities);

/** Docker's order: with ALL added, what is dropped is taken from all; with ALL dropped, what is added is all there is. */
function grantedCapabilities(options: ContainerOptions): string[] {
  if (options.privileged === true) return capabilityNames(everything);
  const add = maskOf(options.cap_add);
  const drop = maskOf(options.cap_drop);
  if (add.all) return capabilityNames(drop.all ? add.mask : everything & ~drop.mask);
  const start = drop.all ? 0n : capabilityMask(defaultCapabilities);
  return capabilityNames(drop.all ? add.mask : (start & ~drop.mask) | add.mask);
}

function maskOf(names: readonly string[] = []): { readonly all: boolean; readonly mask: bigint } {
  const plain = names.map((name) => name.toUpperCase().replace(/^CAP_/, ''));
  return { all: plain.includes('ALL'), mask: capabilityMask(plain) };
}

function buildRlimits(ulimits: NonNullable<ContainerOptions['ulimits']>): Rlimit[] {
  return Object.entries(ulimits).map(([name, limit]) => {
    if (!rlimits.has(name))
      throw new NslabError('VALUE_INVALID', `${JSON.stringify(name)} is not a resource limit`);
    const { soft, hard } = typeof limit === 'number' ? { soft: limit, hard: limit } : limit;
    return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
  });
}
