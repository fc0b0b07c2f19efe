// Labs for pictures, larger than a shipped topology or with names that mean harm.

import type { Lab } from '../../src/model/lab.ts';
import { loadText } from '../../src/topology/load.ts';

function loaded(file: object): Lab {
  return loadText(JSON.stringify(file).replaceAll('$', '$$$$'), { path: '/lab/lab.yaml', env: {} }).lab;
}

type Nodes = Record<string, object>;

/** A switch and that many nodes. */
export function starFile(count: number): { nodes: Nodes; links: object[]; name: string } {
  const names = Array.from({ length: count }, (_, i) => i + 1);
  const address = (i: number) => `10.1.${i >> 8}.${i & 255}/16`;
  return {
    name: `star${count}`,
    nodes: {
      sw: { kind: 'bridge' },
      ...Object.fromEntries(
        names.map((i) => [`pc${i}`, { interfaces: { eth0: { addresses: [address(i)] } } }]),
      ),
    },
    links: names.map((i) => ({ endpoints: [`pc${i}:eth0`, 'sw'] })),
  };
}

export function star(count: number): Lab {
  return loaded(starFile(count));
}

/** That many routers in a circle. */
export function ring(count: number): Lab {
  const names = Array.from({ length: count }, (_, i) => i + 1);
  const router = (i: number) => ({
    kind: 'router',
    interfaces: {
      lo: { addresses: [`10.0.0.${i}/32`] },
      right: { addresses: [`10.2.${i}.0/31`] },
      left: { addresses: [`10.2.${i === 1 ? count : i - 1}.1/31`] },
    },
  });
  return loaded({
    name: `ring${count}`,
    nodes: Object.fromEntries(names.map((i) => [`r${i}`, router(i)])),
    links: names.map((i) => ({ endpoints: [`r${i}:right`, `r${(i % count) + 1}:left`] })),
  });
}

/** A star whose switch leads on, by a router with two wires to the next one, one of them bad. */
export function office(count: number): Lab {
  const { nodes, links } = starFile(count);
  const interfaces = (names: Readonly<Record<string, string>>) => ({
    kind: 'router',
    interfaces: Object.fromEntries(Object.entries(names).map(([name, ip]) => [name, { addresses: [ip] }])),
  });
  return loaded({
    name: `office${count}`,
    nodes: {
      ...nodes,
      gw: interfaces({ lan: '10.1.255.254/16', wan: '10.9.0.1/30', wan2: '10.9.1.1/30' }),
      isp: interfaces({ a: '10.9.0.2/30', b: '10.9.1.2/30' }),
    },
    links: [
      ...links,
      { endpoints: ['gw:lan', 'sw'] },
      { endpoints: ['gw:wan', 'isp:a'], impair: { delay: '20ms', jitter: '2ms', loss: '1%' } },
      { endpoints: ['gw:wan2', 'isp:b'] },
    ],
  });
}

/** Texts that would be markup, end a string or turn a terminal around, wherever a file may have one. */
export const hostileTexts = [
  '"><script>alert(1)</script>',
  'a\'"`&<b>',
  '\\";]}-->',
  '#quot;|"]---x',
  '</svg>]]>',
  '\u001b[31m\u202e\u0007\u0000',
] as const;

export function hostileLab(): Lab {
  const [markup, quotes, ending, entity, closing, control] = hostileTexts;
  return loaded({
    name: 'hostile',
    description: hostileTexts.join(' '),
    nodes: {
      a: { interfaces: { [quotes]: { addresses: ['10.0.0.1/24'] }, lo: { addresses: ['10.9.9.9/32'] } } },
      b: {
        rootfs: `/tmp/${markup}${control.slice(0, -1)}`,
        command: ['true'],
        interfaces: { [ending.slice(0, 15)]: {} },
      },
      c: { interfaces: { '<svg>]]': { type: 'dummy' }, '#quot;|"]---x': {} } },
    },
    links: [
      {
        endpoints: [
          { node: 'a', interface: quotes },
          { node: 'b', interface: ending.slice(0, 15) },
        ],
      },
      {
        endpoints: [
          { node: 'c', interface: entity.slice(0, 15) },
          { node: 'a', interface: closing.slice(0, 3).replaceAll('/', '') },
        ],
      },
    ],
  });
}
