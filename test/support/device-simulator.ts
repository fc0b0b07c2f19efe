// Runs the part of eBPF that device programs of control groups are made of, as the kernel would: kernel/bpf/core.c. Jumps go
// forward and stay inside, registers are written before they are read, or it throws as the verifier would refuse.

export type DeviceAccess = {
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
  /** Some of `rwm`. */
  readonly access: string;
};

/** The value that the program returns: 1 allows. */
export function runDeviceProgram(program: Uint8Array, device: DeviceAccess): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const access = [...device.access].reduce((bits, letter) => bits | { m: 1, r: 2, w: 4 }[letter as 'm'], 0);
  const context = [(access << 16) | { b: 1, c: 2 }[device.type], device.major, device.minor];
  // r1 points to the context until it is written.
  const registers: (number | 'context' | undefined)[] = [undefined, 'context'];
  const number = (register: number): number => {
    const value = registers[register];
    if (typeof value !== 'number') throw new Error(`r${register} is no number`);
    return value;
  };
  for (let at = 0; at < code.byteLength / 8; ) {
    const operation = code.getUint8(at * 8);
    const dst = code.getUint8(at * 8 + 1) & 0xf;
    const src = code.getUint8(at * 8 + 1) >> 4;
    const off = code.getInt16(at * 8 + 2, true);
    const imm = code.getInt32(at * 8 + 4, true);
    at++;
    if (off < 0) throw new Error('a jump back');
    switch (operation) {
      case 0x61:
        if (registers[src] !== 'context' || off % 4 !== 0 || off > 8)
          throw new Error('a load from elsewhere');
        registers[dst] = context[off / 4];
        break;
      case 0x54:
        registers[dst] = (number(dst) & imm) >>> 0;
        break;
      case 0x74:
        registers[dst] = number(dst) >>> imm;
        break;
      case 0xb4:
        registers[dst] = imm >>> 0;
        break;
      case 0xbc:
        registers[dst] = number(src);
        break;
      case 0x16:
        if (number(dst) === imm >>> 0) at += off;
        break;
      case 0x56:
        if (number(dst) !== imm >>> 0) at += off;
        break;
      case 0x95:
        return number(0);
      default:
        throw new Error(`unknown instruction ${operation.toString(16)}`);
    }
  }
  throw new Error('the program has no end');
}
