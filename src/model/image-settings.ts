// What an image says of how it wants to be run, in the words of its config (image-spec config.md, the object `config`), and how the
// image of a container is handed from the one who finds it to the one who starts it.

export type ImageSettings = {
  readonly User?: string | null | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | null | undefined;
  /** The keys are paths. */
  readonly Volumes?: Readonly<Record<string, unknown>> | null | undefined;
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | null | undefined;
  readonly StopSignal?: string | null | undefined;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
  readonly Healthcheck?: ImageHealthcheck | null | undefined;
};

/** Durations in nanoseconds; what is missing or 0 is the default. */
export type ImageHealthcheck = {
  readonly Test?: readonly string[] | null | undefined;
  readonly Interval?: number | null | undefined;
  readonly Timeout?: number | null | undefined;
  readonly StartPeriod?: number | null | undefined;
  readonly StartInterval?: number | null | undefined;
  readonly Retries?: number | null | undefined;
};

/** The image that a container runs on, found and unpacked. */
export type ContainerImage = {
  /** As the store knows it. */
  readonly name: string;
  /** The digest of its manifest. */
  readonly manifest: string;
  /** Folders in overlayfs' form, the top one first. */
  readonly layers: readonly string[];
  readonly settings: ImageSettings;
};
