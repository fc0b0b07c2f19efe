// Writes tar for archives and for the base image: files, folders and symlinks with short names, root's, without a time, so that the
// same content is the same archive. POSIX.1-2017 pax, "ustar Interchange Format".

const BLOCK = 512;

export type TarFile = {
  readonly path: string;
  readonly size: number;
  readonly body: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** 0644 when absent. */
  readonly mode?: number;
  /** When it was changed, since 1970. */
  readonly seconds?: number;
};

export type TarItem =
  | TarFile
  | { readonly path: string; readonly folder: true; readonly mode: number }
  | { readonly path: string; readonly symlink: string };

/** A file whose content is in memory. */
export function tarText(path: string, content: Uint8Array | string): TarFile {
  const bytes = Buffer.from(content);
  return { path, size: bytes.length, body: () => [bytes] };
}

/** The archive; folders that are not named are made as they are needed. @throws Error when a body has not its size */
export async function* writeTar(items: Iterable<TarItem>): AsyncGenerator<Uint8Array> {
  const made = new Set<string>();
  for (const item of items) {
    for (const folder of foldersAbove(item.path)) {
      if (!made.has(folder)) yield header({ path: folder, size: 0, type: '5', mode: 0o755 });
      made.add(folder);
    }
    if ('folder' in item) {
      made.add(`${item.path}/`);
      yield header({ path: `${item.path}/`, size: 0, type: '5', mode: item.mode });
    } else if ('symlink' in item) {
      yield header({ path: item.path, size: 0, type: '2', mode: 0o777, target: item.symlink });
    } else {
      yield* writeFile(item);
    }
  }
  yield Buffer.alloc(2 * BLOCK);
}

function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
    folders.push(path.slice(0, slash + 1));
  return folders;
}

async function* writeFile({
  path,
  size,
  body,
  mode = 0o644,
  seconds = 0,
}: TarFile): AsyncGenerator<Uint8Array> {
  yield header({ path, size, type: '0', mode, seconds });
  let written = 0;
  for await (const chunk of body()) {
    written += chunk.length;
    yield chunk;
  }
  if (written !== size) throw new Error(`${path} has ${written} bytes, not ${size}`);
  const padding = (BLOCK - (size % BLOCK)) % BLOCK;
  if (padding > 0) yield Buffer.alloc(padding);
}

type Header = {
  readonly path: string;
  readonly size: number;
  readonly type: string;
  readonly mode: number;
  readonly target?: string;
  readonly seconds?: number;
};

/** More does not fit into eleven octal digits. */
const MAX_OCTAL_SIZE = 8 ** 11;
const MAX_NAME = 100;

function header({ path, size, type, mode, target = '', seconds = 0 }: Header): Buffer {
  const block = Buffer.alloc(BLOCK);
  for (const name of [path, target])
    if (Buffer.byteLength(name) > MAX_NAME) throw new Error(`${name} is too long`);
  const octal = (value: number, at: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  };
  block.write(path, 0, 'utf8');
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  if (size < MAX_OCTAL_SIZE) octal(size, 124, 12);
  else {
    // GNU's base 256, which every reader knows.
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  octal(Math.max(0, seconds), 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write(target, 157, 'utf8');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
