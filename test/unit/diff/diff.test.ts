// Comparing a lab with what the kernel has, as data: a lab that is up differs in nothing, whatever is taken out of it or put into it
// is told, and the steps against it are about that alone.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { IpInterface } from '../../../src/base/ip.ts';
import type { IfName } from '../../../src/base/names.ts';
import { planChange } from '../../../src/diff/change.ts';
import { diffLab } from '../../../src/diff/diff.ts';
import type { Lab } from '../../../src/model/lab.ts';
import type { Op } from '../../../src/plan/op.ts';
import { planLab } from '../../../src/plan/order.ts';
import { loadText } from '../../../src/topology/load.ts';
import { liveOfLab, type Places } from '../../support/live-of-lab.ts';
import { randomLabPair, randomLabYaml } from '../../support/random-lab.ts';

function parse(yaml: string): Lab {
  return loadText(yaml, { path: 'random.yaml', env: {} }).lab;
}

type Compared = { readonly lab: Lab; readonly ops: readonly Op[] };

/** What is told of the lab, and what would be done, when the kernel has been changed. */
function compare({ lab, ops }: Compared, change: (netns: Places) => void = () => undefined) {
  const live = liveOfLab(lab, ops);
  change(live.netns);
  const differences = diffLab({ lab, ops, opsBefore: ops, live });
  return {
    all: differences,
    messages: differences.filter(({ hidden }) => hidden !== true).map(({ message }) => message),
    steps: planChange(ops, differences, live),
  };
}

/** A random lab with a node of it that has an address. */
const labWithHost = randomLabYaml('td-').map((yaml) => {
  const lab = parse(yaml);
  const node = lab.nodes.find(
    (one) => one.place !== null && one.interfaces.some((iface) => iface.addresses.length > 0),
  );
  const iface = node?.interfaces.find(({ addresses }) => addresses.length > 0);
  if (node === undefined || iface === undefined) throw new Error('a lab without addresses');
  return { lab, ops: planLab(lab), node, iface };
});

test('a lab that is up differs in nothing, and there is nothing to do', () => {
  fc.assert(
    fc.property(randomLabYaml('td-'), (yaml) => {
      const lab = parse(yaml);
      const { all, steps } = compare({ lab, ops: planLab(lab) });
      assert.deepEqual(all, []);
      assert.deepEqual(steps, []);
    }),
  );
});

test('a lab of which nothing is there is missed node by node, and made whole', () => {
  fc.assert(
    fc.property(randomLabYaml('td-'), (yaml) => {
      const lab = parse(yaml);
      const ops = planLab(lab);
      const live = {
        ...liveOfLab(lab, ops),
        netns: new Map(),
        views: new Map(),
        files: new Map(),
        before: undefined,
      };
      const differences = diffLab({ lab, ops, live });
      const told = differences.filter(({ hidden }) => hidden !== true).map(({ message }) => message);
      assert.deepEqual(
        told,
        lab.nodes.map(({ name }) => `${name} is missing`),
      );
      assert.deepEqual(planChange(ops, differences, live), ops);
    }),
  );
});

test('chains of published ports are empty while their container does not run, and at no other time', () => {
  const text =
    'name: td\nnodes: { web: { rootfs: host, ports: ["8080:80"] }, db: { rootfs: host, ports: ["81:81"] } }';
  const lab = parse(text);
  const ops = planLab(lab);
  const told = (status: string): string[] => {
    const live = liveOfLab(lab, ops);
    const host = live.netns.get(null);
    assert.ok(host !== undefined);
    const tables = host.tables.map((table) => ({
      ...table,
      chains: table.chains.map((chain) => (chain.name.endsWith('-web') ? { ...chain, rules: [] } : chain)),
    }));
    live.netns.set(null, { ...host, tables });
    const containers = lab.nodes.flatMap(({ name, container }) =>
      container === undefined
        ? []
        : [[name, { status: name === 'web' ? status : 'running', exit: 0 }] as const],
    );
    return diffLab({ lab, ops, opsBefore: ops, live: { ...live, containers: new Map(containers) } })
      .filter(({ about }) => about === 'nft')
      .map(({ message }) => message.replace(/: ip .*/, ''));
  };
  assert.deepEqual(told('exited'), []);
  assert.deepEqual(told('dead'), []);
  assert.deepEqual(told('running'), [
    'host: rule 1 of prerouting-web is missing',
    'host: rule 1 of output-web is missing',
  ]);
});

test('one address that is taken away is told, and given back by one step', () => {
  fc.assert(
    fc.property(labWithHost, ({ lab, ops, node, iface }) => {
      const { messages, steps } = compare({ lab, ops }, (netns) => {
        const live = netns.get(node.place);
        if (live === undefined) return;
        live.devices = live.devices.map((device) =>
          device.ifname === iface.ifname ? { ...device, addresses: device.addresses.slice(1) } : device,
        );
      });
      assert.deepEqual(messages, [
        `${node.name}:${iface.name}: address ${iface.addresses[0]?.ip} is missing`,
      ]);
      assert.deepEqual(
        steps.map(({ kind }) => kind),
        ['addAddress'],
      );
    }),
  );
});

test('what somebody put there is told, and taken away by a step each', () => {
  fc.assert(
    fc.property(labWithHost, ({ lab, ops, node, iface }) => {
      const { place, name } = node;
      const { messages, steps } = compare({ lab, ops }, (netns) => {
        const live = netns.get(place);
        const [device] = live?.devices.filter(({ ifname }) => ifname === iface.ifname) ?? [];
        if (live === undefined || device === undefined) return;
        const [address] = device.addresses;
        if (address === undefined) return;
        const more = {
          ...device,
          addresses: [...device.addresses, { ...address, ip: '192.0.2.77/32' as IpInterface }],
        };
        live.devices = [
          ...live.devices.map((one) => (one === device ? more : one)),
          {
            ...device,
            ifindex: 99,
            ifname: 'odd0' as IfName,
            data: { type: 'dummy' },
            addresses: [],
            altnames: [],
          },
        ];
        const route = {
          type: 'blackhole',
          family: 4,
          to: '192.0.2.128/25',
          table: 254,
          scope: 'global',
        } as const;
        live.routes = [
          ...live.routes,
          { ...route, to: route.to as never, protocol: 3, dead: false },
          // A routing daemon's, and one of the kernel.
          { ...route, to: '192.0.2.0/26' as never, protocol: 188, dead: false },
          { ...route, to: '192.0.2.64/26' as never, protocol: 2, dead: false },
        ];
      });
      const shown = iface.name;
      assert.deepEqual(
        new Set(messages),
        new Set([
          `${name}:odd0 is too much`,
          `${name}:${shown}: address 192.0.2.77/32 is too much`,
          `${name}: blackhole route to 192.0.2.128/25 is too much`,
        ]),
      );
      assert.deepEqual(steps.map(({ kind }) => kind).sort(), ['delAddress', 'delLinks', 'delRoute']);
    }),
  );
});

test('a device of another kind is made anew with what hangs on it, and no other', () => {
  fc.assert(
    fc.property(labWithHost, ({ lab, ops, node, iface }) => {
      fc.pre(iface.type === 'veth');
      const { messages, steps } = compare({ lab, ops }, (netns) => {
        const live = netns.get(node.place);
        if (live === undefined) return;
        live.devices = live.devices.map((one) =>
          one.ifname === iface.ifname ? { ...one, data: { type: 'dummy' } } : one,
        );
      });
      assert.ok(messages.includes(`${node.name}:${iface.name} is a dummy, not a veth`), messages.join('\n'));
      const made = steps.flatMap((step) =>
        step.kind === 'createLink' && step.link.type === 'veth' ? [step] : [],
      );
      assert.equal(made.length, 1);
      assert.ok(steps.some((step) => step.kind === 'delLinks' && step.ifnames.includes(iface.ifname)));
      assert.ok(steps.every((step) => step.kind !== 'createNetns' && step.kind !== 'dropNetns'));
    }),
  );
});

test('between two labs there is something to do exactly where they differ, and no namespace of both goes', () => {
  fc.assert(
    fc.property(randomLabPair('td-'), ([a, b]) => {
      const [first, second] = [parse(a), parse(b)];
      const [opsBefore, ops] = [planLab(first), planLab(second)];
      const live = liveOfLab(first, opsBefore);
      const differences = diffLab({ lab: second, ops, opsBefore, live });
      const steps = planChange(ops, differences, live);
      const kept = new Set(
        first.nodes
          .map(({ place }) => place as string)
          .filter((place) => second.nodes.some((node) => node.place === place)),
      );
      for (const step of steps) {
        if (step.kind === 'dropNetns' || step.kind === 'createNetns')
          assert.ok(!kept.has(step.netns), step.netns);
      }
      if (a === b) assert.deepEqual(steps, []);
      // The same labs give the same steps.
      assert.deepEqual(planChange(ops, diffLab({ lab: second, ops, opsBefore, live }), live), steps);
    }),
  );
});

test('what impairs a wire is told in the words of tc, and set or taken away by one step', () => {
  const file = (impair: string): Lab =>
    parse(`name: wire\nnodes: { a: {}, b: {} }\nlinks: [{ endpoints: ["a:eth0", "b:eth0"]${impair} }]\n`);
  const plain = file('');
  const slow = file(', impair: { delay: 20ms, loss: 1% }');
  const fast = file(', impair: { rate: 10mbit }');
  const between = (lab: Lab, before: Lab) => {
    const ops = planLab(lab);
    const live = liveOfLab(before, planLab(before));
    const differences = diffLab({ lab, ops, opsBefore: planLab(before), live });
    return [differences.map(({ message }) => message), planChange(ops, differences, live)] as const;
  };
  const [missing, made] = between(slow, plain);
  assert.deepEqual(missing, [
    'a:eth0: delay 20ms loss 1% is missing',
    'b:eth0: delay 20ms loss 1% is missing',
  ]);
  assert.deepEqual(
    made,
    planLab(slow).filter(({ kind }) => kind === 'setQdisc'),
  );
  const [other] = between(fast, slow);
  assert.deepEqual(other[0], 'a:eth0: delay 20ms loss 1%, and not rate 10mbit');
  const [extra, off] = between(plain, fast);
  assert.deepEqual(extra, ['a:eth0: rate 10mbit is too much', 'b:eth0: rate 10mbit is too much']);
  assert.ok(off.length === 2 && off.every((step) => step.kind === 'setQdisc' && step.qdisc === null));
});
