// The container keys of a node, validated and otherwise as the file has them (Docker Compose's words). The runner reads them.

export type ContainerSpec = {
  readonly image?: string;
  /** A folder, or `host` for an overlay over the machine's own files. */
  readonly rootfs?: string;
  /** Every other container key of SCHEMA, as it stands in the file after validation. */
  readonly options: Readonly<Record<string, unknown>>;
};
