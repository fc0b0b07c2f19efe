// Runs classic BPF programs of seccomp as the kernel would, instruction by instruction: net/core/filter.c, kernel/seccomp.c
// seccomp_check_filter() for what is allowed in them. Knows nothing of profiles.

export type SeccompData = { readonly nr: number; readonly arch: number; readonly args: readonly bigint[] };

/** struct seccomp_data, little endian. */
function encode({ nr, arch, args }: SeccompData): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  for (let index = 0; index < 6; index++) data.setBigUint64(16 + 8 * index, args[index] ?? 0n, true);
  return data;
}

/** The SECCOMP_RET_* value, and how many instructions it took. */
export function runFilter(program: Uint8Array, input: SeccompData): { value: number; steps: number } {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const count = program.byteLength / 8;
  if (!Number.isInteger(count) || count === 0 || count > 4096)
    throw new Error('the kernel refuses this length');
  const data = encode(input);
  let a = 0;
  for (let at = 0, steps = 1; at < count; steps++) {
    const operation = code.getUint16(at * 8, true);
    const k = code.getUint32(at * 8 + 4, true);
    const jt = code.getUint8(at * 8 + 2);
    const jf = code.getUint8(at * 8 + 3);
    at++;
    switch (operation) {
      case 0x20:
        if (k % 4 !== 0 || k > 60) throw new Error(`load outside of struct seccomp_data: ${k}`);
        a = data.getUint32(k, true);
        break;
      case 0x54:
        a = (a & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += a === k ? jt : jf;
        break;
      case 0x25:
        at += a > k ? jt : jf;
        break;
      case 0x35:
        at += a >= k ? jt : jf;
        break;
      case 0x06:
        return { value: k, steps };
      default:
        throw new Error(`unknown instruction ${operation.toString(16)}`);
    }
  }
  throw new Error('the program has no end');
}
