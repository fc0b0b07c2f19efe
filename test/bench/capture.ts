// How many packets a second `nslab capture` takes without losing one: a wire of veth, both of whose ends are captured into one file while
// flood.c sends over it. What is lost is what the kernel's rings had no room for, as the capture itself tells.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tools } from './contenders.ts';
import type { Runner } from './runner.ts';
import { compile } from './workspace.ts';

export type CaptureFigures = {
  readonly bytes: number;
  /** Packets a second. */
  readonly asked: number;
  /** Packets a second that could be sent. */
  readonly rate: number;
  /** At both ends together. */
  readonly captured: number;
  readonly lost: number;
};

const SECONDS = 2;
const TOPOLOGY = `
name: nslab-bench-capture
nodes: { bcap1: {}, bcap2: {} }
links:
  - endpoints:
      - { node: bcap1, interface: eth0, addresses: [10.74.0.1/24] }
      - { node: bcap2, interface: eth0, addresses: [10.74.0.2/24] }
`;

/** Each size of packet at each rate. */
export async function benchCapture(runner: Runner, tools: Tools): Promise<CaptureFigures[]> {
  const flood = compile(tools, 'flood');
  const file = join(tools.folder, 'capture.yaml');
  writeFileSync(file, TOPOLOGY);
  const figures: CaptureFigures[] = [];
  await runner.output([tools.nslab, 'up', file]);
  try {
    for (const bytes of [64, 512, 1400]) {
      for (const asked of [100_000, 200_000, 400_000]) {
        const { end } = await startCapture(tools.nslab, join(tools.folder, 'capture.pcapng'));
        const words = ['10.74.0.2', '9', asked, SECONDS, bytes].map(String);
        const [sent = 0, ms = 1] = (await runner.output([tools.nslab, 'exec', 'bcap1', flood, ...words]))
          .trim()
          .split(' ')
          .map(Number);
        figures.push({ bytes, asked, rate: (sent * 1000) / ms, ...(await end()) });
      }
    }
  } finally {
    await runner.output([tools.nslab, 'down', 'nslab-bench-capture']);
  }
  return figures;
}

async function startCapture(nslab: string, file: string) {
  const child = spawn(nslab, ['capture', '--lab', 'nslab-bench-capture', '-w', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('capturing on')) resolve();
    });
    void ended.then(() => reject(new Error(`no capture: ${said}`)));
  });
  const end = async (): Promise<{ captured: number; lost: number }> => {
    child.kill('SIGINT');
    await ended;
    const [, captured, lost] = /^(\d+) packets? on \d+ interfaces, (\d+) lost$/m.exec(said) ?? [];
    return { captured: Number(captured), lost: Number(lost) };
  };
  return { end };
}
