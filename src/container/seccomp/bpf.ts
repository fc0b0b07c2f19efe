// Assembles classic BPF programs for seccomp(2), from the last instruction to the first: a jump goes forward only, so what it
// leads to is always there already. linux/filter.h, linux/bpf_common.h, linux/seccomp.h struct seccomp_data.

/** A place in the program: how many instructions stand from there to its end. */
export type Label = number;

const BPF_LD_W_ABS = 0x20;
const BPF_ALU_AND_K = 0x54;
const BPF_JMP_JA = 0x05;
const BPF_RET_K = 0x06;
const jumps = { JEQ: 0x15, JGT: 0x25, JGE: 0x35 } as const;

/** linux/bpf_common.h BPF_MAXINSNS. */
export const BPF_MAXINSNS = 4096;
/** jt and jf are bytes. */
const FARTHEST = 255;

type Instruction = readonly [code: number, jt: number, jf: number, k: number];

export class FilterWriter {
  readonly #reversed: Instruction[] = [];
  readonly #returns = new Map<number, Label>();

  get length(): number {
    return this.#reversed.length;
  }

  /** Ends with that SECCOMP_RET_* value. One such instruction serves all jumps that can reach it. */
  ret(value: number): Label {
    const before = this.#returns.get(value);
    // One short of the farthest, since another instruction may come between the jump and this one.
    if (before !== undefined && this.length - before < FARTHEST) return before;
    const label = this.#push([BPF_RET_K, 0, 0, value]);
    this.#returns.set(value, label);
    return label;
  }

  /** A = the 32 bits at this offset of struct seccomp_data. */
  load(offset: number, next: Label): Label {
    this.#leadTo(next);
    return this.#push([BPF_LD_W_ABS, 0, 0, offset]);
  }

  /** A &= mask. */
  and(mask: number, next: Label): Label {
    this.#leadTo(next);
    return this.#push([BPF_ALU_AND_K, 0, 0, mask]);
  }

  /** Compares A, unsigned. */
  jump(test: keyof typeof jumps, k: number, to: { readonly yes: Label; readonly no: Label }): Label {
    if (to.yes === to.no) return to.yes;
    // A step in between for one may put the other out of reach, hence one less.
    const no = this.#near(to.no, FARTHEST - 1);
    const yes = this.#near(to.yes, FARTHEST);
    return this.#push([jumps[test], this.length - yes, this.length - no, k]);
  }

  /** struct sock_filter[], little endian as both kinds of processor are, beginning at this label. */
  finish(start: Label): Uint8Array {
    this.#leadTo(start);
    const bytes = new DataView(new ArrayBuffer(this.length * 8));
    for (const [index, [code, jt, jf, k]] of this.#reversed.toReversed().entries()) {
      bytes.setUint16(index * 8, code, true);
      bytes.setUint8(index * 8 + 2, jt);
      bytes.setUint8(index * 8 + 3, jf);
      bytes.setUint32(index * 8 + 4, k >>> 0, true);
    }
    return new Uint8Array(bytes.buffer);
  }

  #push(instruction: Instruction): Label {
    this.#reversed.push(instruction);
    return this.length;
  }

  /** Makes sure that what stands next is that place. */
  #leadTo(label: Label): void {
    if (label !== this.length) this.#push([BPF_JMP_JA, 0, 0, this.length - label]);
  }

  /** The place itself, or one that leads there and is in reach. */
  #near(label: Label, reach: number): Label {
    return this.length - label <= reach ? label : this.#push([BPF_JMP_JA, 0, 0, this.length - label]);
  }
}
