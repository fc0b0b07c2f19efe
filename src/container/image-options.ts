// The settings of an image under those of a node, as Compose and `docker run` put them together. Pure. The environment is not among
// them: env_files come between the two, so build-process.ts does it.

import type { ContainerOptions, HealthOptions } from '../model/container-options.ts';
import { cleanPath } from '../model/container-text.ts';
import type { ImageHealthcheck, ImageSettings } from '../model/image-settings.ts';
import { givenMounts } from './build-mounts.ts';

export function withImageSettings(own: ContainerOptions, image: ImageSettings): ContainerOptions {
  const healthcheck = mergeHealth(own.healthcheck, image.Healthcheck ?? undefined);
  return {
    ...own,
    ...commandsOf(own, image),
    ...chosen('user', own.user, image.User),
    ...chosen('working_dir', own.working_dir, image.WorkingDir),
    ...chosen('stop_signal', own.stop_signal, image.StopSignal),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    volumes: [...(own.volumes ?? []), ...missingVolumes(own, image)],
  };
}

/** An entry point of the node's own takes the image's command away, which was written for another. */
function commandsOf(
  own: ContainerOptions,
  image: ImageSettings,
): Pick<ContainerOptions, 'entrypoint' | 'command'> {
  if (own.entrypoint !== undefined) return { entrypoint: own.entrypoint, command: own.command ?? [] };
  return { entrypoint: image.Entrypoint ?? [], command: own.command ?? image.Cmd ?? [] };
}

/** Images say nothing with an empty text as well as with none. */
function chosen<K extends string, T>(
  key: K,
  own: T | undefined,
  image: T | null | undefined,
): { [P in K]?: T } {
  if (own !== undefined) return {};
  return image === null || image === undefined || image === '' ? {} : ({ [key]: image } as { [P in K]?: T });
}

/** A path of the image's for which the node has nothing gets a volume that lives as long as the container. */
function missingVolumes(own: ContainerOptions, { Volumes }: ImageSettings): string[] {
  const targets = new Set(givenMounts(own).map(({ target }) => target));
  return Object.keys(Volumes ?? {})
    .map((path) => cleanPath(path))
    .filter((path) => !targets.has(path));
}

/** Field by field: a node may change the interval of a test that the image has. */
function mergeHealth(
  own: HealthOptions | undefined,
  image: ImageHealthcheck | undefined,
): HealthOptions | undefined {
  if (image === undefined || own?.disable === true) return own;
  const { Test, Interval, Timeout, StartPeriod, StartInterval, Retries } = image;
  const inherited: HealthOptions = {
    ...(Test === null || Test === undefined || Test.length === 0 ? {} : { test: Test }),
    ...duration('interval', Interval),
    ...duration('timeout', Timeout),
    ...duration('start_period', StartPeriod),
    ...duration('start_interval', StartInterval),
    ...(Retries === null || Retries === undefined || Retries === 0 ? {} : { retries: Retries }),
  };
  const set = Object.fromEntries(Object.entries(own ?? {}).filter(([, value]) => value !== undefined));
  return { ...inherited, ...set };
}

const MILLISECOND = 1_000_000;

function duration<K extends string>(key: K, nanoseconds: number | null | undefined): { [P in K]?: string } {
  const milliseconds = Math.round((nanoseconds ?? 0) / MILLISECOND);
  return milliseconds === 0 ? {} : ({ [key]: `${milliseconds}ms` } as { [P in K]?: string });
}
