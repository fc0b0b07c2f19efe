// Everything of a container but its processes: folders, cgroups with their limits, volumes, and the program that the helper runs.
// What containers of a lab have in common (capabilities, hierarchies, filters) is read once.

import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { NslabError } from '../base/error.ts';
import type { LabName, NetnsName, NodeName } from '../base/names.ts';
import { buildSpec } from '../container/build.ts';
import { copyLayers } from '../container/copy-layers.ts';
import { DEFAULT_PATH } from '../container/defaults.ts';
import { readAccounts, readHostFacts, readProcessFacts } from '../container/facts.ts';
import type {
  Accounts,
  BuildHost,
  ContainerNode,
  HostFacts,
  LowerFacts,
  ProcessFacts,
} from '../container/host.ts';
import { lowerSpec } from '../container/lower.ts';
import type { RuntimeSpec } from '../container/runtime-spec.ts';
import { compileSeccomp, seccompFlags } from '../container/seccomp/compile.ts';
import { defaultProfile } from '../container/seccomp/default-profile.ts';
import { parseSeccompProfile, type SeccompProfile } from '../container/seccomp/profile.ts';
import { prepareVolume } from '../container/volumes.ts';
import { type IdMap, mapId } from '../model/userns.ts';
import { batchBytes, chainsBatch } from '../nfnl/batch.ts';
import type { NftTable } from '../nfnl/ruleset.ts';
import {
  CONTAINERS_VAR,
  containerDir,
  containerImage,
  containerVar,
  pinOf,
  usernsPinOf,
  VOLUMES_VAR,
  viewsDir,
} from '../state/paths.ts';
import { makeCgroup } from './container-cgroup.ts';
import { unmountBelow } from './container-end.ts';
import type { StartContainer } from './containers.ts';
import { helperPath, REMOVE_VERB } from './helper.ts';
import { takesOverlay } from './overlay-probe.ts';
import { removeTree } from './remove-tree.ts';

/** The machine's own network namespace, for a container that is in it. */
const OWN_NETNS = '/proc/self/ns/net';

export class ContainerMaker {
  readonly #lab: LabName;
  readonly #folder: string;
  #process: ProcessFacts | undefined;
  #facts: HostFacts | undefined;
  readonly #accounts = new Map<string, Accounts>();
  readonly #profiles = new Map<string, SeccompProfile>();

  /** `folder` is that of the topology file. */
  constructor(lab: LabName, folder: string) {
    this.#lab = lab;
    this.#folder = folder;
  }

  /** Reads what the files of these containers name. @throws NslabError for what is not there */
  prepare(ops: readonly StartContainer[]): void {
    this.#facts = readHostFacts(ops.map(nodeOf), { folder: this.#folder, env: process.env });
  }

  /** RUN of the container. */
  folder(node: NodeName): string {
    return containerDir(this.#lab, node);
  }

  /**
   * Makes what the helper starts from. Returns what the user should know: what the machine cannot grant.
   * @throws NslabError, or an error with an errno, in which case `down` removes what was made
   */
  make(op: StartContainer): readonly string[] {
    const { node } = op;
    const spec = withRemover(buildSpec(nodeOf(op), this.#host(op)), this.#lab, op);
    const cgroup = makeCgroup(this.#lab, node, spec.linux.resources);
    this.#makeFolders(spec, op);
    this.#process ??= readProcessFacts();
    const seccomp = this.#seccomp(spec);
    const { program, exec, warnings } = lowerSpec(spec, {
      process: this.#process,
      accounts: this.#accountsOf(spec.nslab.overlay.lowers),
      cgroup: cgroup.facts,
      ...(seccomp === undefined ? {} : { seccomp }),
      ...(op.published === undefined ? {} : { publish: publishOf(op.published) }),
    });
    const run = this.folder(node);
    writeFileSync(join(run, 'program'), program, { mode: 0o600 });
    writeFileSync(join(run, 'exec'), exec, { mode: 0o600 });
    // `changes` reads it, and so may who wants to know what was asked of the kernel.
    writeFileSync(join(run, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
    return [...cgroup.warnings, ...warnings].map((text) => `${node}: ${text}`);
  }

  #host(op: StartContainer): BuildHost {
    if (this.#facts === undefined) throw new Error('prepare() comes first');
    return {
      lab: this.#lab,
      folder: this.#folder,
      env: process.env,
      run: this.folder(op.node),
      var: containerVar(this.#lab, op.node),
      volumes: VOLUMES_VAR,
      netnsPath: (netns: NetnsName | null) => (netns === null ? OWN_NETNS : pinOf(this.#lab, netns)),
      usernsPath: (netns: NetnsName) => usernsPinOf(this.#lab, netns),
      etc: this.#etc(op),
      facts: this.#facts,
      copiesLayers: op.image !== undefined && !takesOverlay(CONTAINERS_VAR),
    };
  }

  /** What the view lacks is the machine's. */
  #etc({ view, container }: StartContainer): BuildHost['etc'] {
    const of = (name: string): string | undefined => {
      const own = view === undefined ? undefined : join(viewsDir(this.#lab), view, name);
      if (own !== undefined && existsSync(own)) return own;
      // With the machine's files it has that one already.
      return container.rootfs === 'host' || !existsSync(`/etc/${name}`) ? undefined : `/etc/${name}`;
    };
    const hosts = of('hosts');
    const resolvConf = of('resolv.conf');
    return { ...(hosts === undefined ? {} : { hosts }), ...(resolvConf === undefined ? {} : { resolvConf }) };
  }

  #makeFolders({ nslab, linux }: RuntimeSpec, { node, image }: StartContainer): void {
    const files = containerVar(this.#lab, node);
    // A lab begins with nothing: what is there was left by one that a reboot ended.
    if (existsSync(files)) {
      unmountBelow(files);
      removeTree(files);
    }
    const { lowers, upper, work, copied = false } = nslab.overlay;
    for (const folder of [this.folder(node), upper, work])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (image !== undefined) {
      // Before anything rests on it: from here on it keeps the image in the store.
      writeFileSync(
        containerImage(this.#lab, node),
        JSON.stringify({ name: image.name, manifest: image.manifest }),
      );
    }
    if (copied) copyLayers(lowers, upper);
    // The upper layer's own folder is the root that the container sees.
    const root = statSync(lowers[0] ?? '/');
    const { uidMappings: uid, gidMappings: gid } = linux;
    const maps = uid === undefined || gid === undefined ? undefined : { uid, gid };
    for (const folder of maps === undefined ? [upper] : [upper, work])
      chownSync(folder, ownerOf(root.uid, maps?.uid), ownerOf(root.gid, maps?.gid));
    chmodSync(upper, root.mode & 0o7777);
    for (const { path, text } of nslab.files) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, text, { mode: 0o644 });
    }
    for (const volume of nslab.volumes) prepareVolume(volume, nslab.overlay.lowers, maps);
  }

  #seccomp({ process: { capabilities }, nslab: { seccomp } }: RuntimeSpec): LowerFacts['seccomp'] {
    if (seccomp.profile === 'unconfined') return undefined;
    const profile = seccomp.profile === 'file' ? this.#profileOf(seccomp.path) : defaultProfile;
    const machine = arch();
    if (machine !== 'x64' && machine !== 'arm64') {
      throw new NslabError('CONTAINER_UNSUPPORTED', `there is no seccomp filter for ${machine} processors`, {
        hint: 'security_opt: [seccomp=unconfined]',
      });
    }
    const filter = compileSeccomp(profile, machine, capabilities.bounding ?? []);
    return { flags: seccompFlags(profile), filter };
  }

  #accountsOf(lowers: readonly string[]): Accounts {
    const key = lowers.join('\0');
    const known = this.#accounts.get(key) ?? readAccounts(lowers);
    this.#accounts.set(key, known);
    return known;
  }

  #profileOf(path: string): SeccompProfile {
    const known = this.#profiles.get(path);
    if (known !== undefined) return known;
    const profile = parseSeccompProfile(readFileSync(path, 'utf8'));
    this.#profiles.set(path, profile);
    return profile;
  }
}

/** On the machine, of what the layer below has; root's of the container where that is none of its ids. */
function ownerOf(id: number, ranges: readonly IdMap[] | undefined): number {
  return ranges === undefined ? id : (mapId(ranges, id) ?? mapId(ranges, 0) ?? id);
}

/** The monitor runs it, in an environment of its own: by the launcher, which has to find this same Node. */
function withRemover(spec: RuntimeSpec, lab: LabName, { remove }: StartContainer): RuntimeSpec {
  if (remove !== true) return spec;
  const remover = {
    argv: [helperPath(), REMOVE_VERB, lab],
    env: [`PATH=${dirname(process.execPath)}:${DEFAULT_PATH}`],
  };
  return { ...spec, nslab: { ...spec.nslab, remover } };
}

function publishOf(table: NftTable): NonNullable<LowerFacts['publish']> {
  const bytes = (fill: boolean) => batchBytes(chainsBatch(table, { fill }));
  return { fill: bytes(true), empty: bytes(false) };
}

function nodeOf({ node, place, container, image, sysctls, ports }: StartContainer): ContainerNode {
  return {
    name: node,
    place,
    container,
    ...(image === undefined ? {} : { image }),
    ...(sysctls === undefined ? {} : { sysctls }),
    ...(ports === undefined ? {} : { ports }),
  };
}
