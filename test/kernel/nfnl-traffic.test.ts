// Real connections through the tables: a client, a gateway and a server in three namespaces joined by two veth pairs. The
// server tells each client which address it saw, so what NAT did is seen from outside.
//   client 10.1.1.2 fd00:1::2 -- c0 gw s0 -- 192.0.2.2-4 fd00:2::2 server        gw: 10.1.1.1, 192.0.2.1, .100-.103

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { IpAddress, IpPrefix } from '../../src/base/ip.ts';
import { applyTable, deleteTable } from '../../src/nfnl/apply.ts';
import { type FilterRuleOptions, filterChain } from '../../src/nfnl/firewall.ts';
import { dnatChain, dnatRule, masqueradeRule, snatChain, snatRule } from '../../src/nfnl/nat.ts';
import { readTable } from '../../src/nfnl/read.ts';
import type { NftChain, NftRule } from '../../src/nfnl/ruleset.ts';
import { NETLINK_NETFILTER, Transport } from '../../src/rtnl/transport.ts';
import { NetAgent } from '../support/net-agent.ts';
import { type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const ip = (text: string): IpAddress => text as IpAddress;
const SERVER = '192.0.2.2';
const SERVER6 = 'fd00:2::2';
/** Long enough for an answer that would come, short enough to wait for one that must not. */
const SILENCE = 700;

type Gateway = AsyncDisposable & {
  readonly ns: ThrowawayNetns;
  readonly client: NetAgent;
  readonly gateway: NetAgent;
  readonly server: NetAgent;
  readonly transport: Transport;
};

function run(ns: ThrowawayNetns, ...commands: readonly string[]): void {
  ns.exec('sh', '-ec', commands.join('\n'));
}

async function gatewayLab(): Promise<Gateway> {
  const stack = [
    await throwawayNetns('t-nfnl'),
    await throwawayNetns('t-nfnl'),
    await throwawayNetns('t-nfnl'),
  ] as const;
  const [c, g, s] = stack;
  run(
    g,
    `ip link add c0 type veth peer name eth0 netns ${c.name}`,
    `ip link add s0 type veth peer name eth0 netns ${s.name}`,
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
    // By default one refusal a second to a host, and the others are silence.
    'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit && echo 0 > /proc/sys/net/ipv6/icmp/ratelimit',
    'ip addr add 10.1.1.1/24 dev c0 && ip addr add fd00:1::1/64 dev c0 nodad && ip link set c0 up',
    'ip addr add 192.0.2.1/24 dev s0 && ip addr add fd00:2::1/64 dev s0 nodad && ip link set s0 up && ip link set lo up',
    'for i in 100 101 102 103; do ip addr add 192.0.2.$i/32 dev s0; done',
  );
  run(
    c,
    'ip addr add 10.1.1.2/24 dev eth0 && ip addr add fd00:1::2/64 dev eth0 nodad && ip link set eth0 up',
    'ip route add default via 10.1.1.1 && ip -6 route add default via fd00:1::1',
  );
  run(
    s,
    'for i in 2 3 4; do ip addr add 192.0.2.$i/24 dev eth0; done',
    'ip addr add fd00:2::2/64 dev eth0 nodad && ip link set eth0 up',
    'ip route add default via 192.0.2.1 && ip -6 route add default via fd00:2::1',
  );
  const [client, gateway, server] = [new NetAgent(c), new NetAgent(g), new NetAgent(s)];
  const transport = g.inside(() => Transport.open(NETLINK_NETFILTER));
  return {
    ns: g,
    client,
    gateway,
    server,
    transport,
    async [Symbol.asyncDispose]() {
      transport.close();
      for (const agent of [client, gateway, server]) await agent[Symbol.asyncDispose]();
      for (const ns of stack) await ns[Symbol.asyncDispose]();
    },
  };
}

describe('connections through a gateway', {
  skip: process.geteuid?.() !== 0 && !process.env['NSLAB_MUST_RUN'] ? 'needs root' : false,
}, () => {
  let lab: Gateway;

  before(async () => {
    lab = await gatewayLab();
    const { server, gateway, client } = lab;
    await server.serve({ address: '::', port: 80 });
    await server.serve({ address: '::', port: 443 });
    await server.serve({ proto: 'udp', address: SERVER, port: 53 });
    await gateway.serve({ address: '::', port: 7777 });
    await client.serve({ address: '::', port: 80 });
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  /** Runs the body while the gateway has a table of these chains. */
  async function through(chains: readonly NftChain[], body: () => Promise<void>): Promise<void> {
    applyTable(lab.transport, { family: 'inet', name: 'nslab-t', chains });
    try {
      await body();
    } finally {
      deleteTable(lab.transport, 'inet', 'nslab-t');
    }
  }

  const inbound = (...rules: readonly NftRule[]): NftChain[] => [dnatChain('prerouting', rules)];
  const outbound = (...rules: readonly NftRule[]): NftChain[] => [snatChain(rules)];
  const forward = (...rules: readonly FilterRuleOptions[]): NftChain[] => [
    filterChain('forward', { policy: 'drop', rules }),
  ];

  test('without a table the server sees the client itself', async (t: TestContext) => {
    if (skipUnlessRoot(t)) return;
    assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).peer, '10.1.1.2');
    assert.equal((await lab.client.ask({ address: SERVER6, port: 80 })).peer, 'fd00:1::2');
  });

  test('masquerade shows the server the address of the gateway, in both families', async () => {
    await through(outbound(masqueradeRule({ oifname: 's0' })), async () => {
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).peer, '192.0.2.1');
      assert.equal((await lab.client.ask({ address: SERVER6, port: 80 })).peer, 'fd00:2::1');
      assert.equal((await lab.client.ask({ proto: 'udp', address: SERVER, port: 53 })).peer, '192.0.2.1');
    });
  });

  test('masquerade of one family or of one source leaves the others alone', async () => {
    await through(outbound(masqueradeRule({ oifname: 's*', family: 6 })), async () => {
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).peer, '10.1.1.2');
      assert.equal((await lab.client.ask({ address: SERVER6, port: 80 })).peer, 'fd00:2::1');
    });
    await through(outbound(masqueradeRule({ oifname: 's0', saddr: '10.9.0.0/16' as IpPrefix })), async () => {
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).peer, '10.1.1.2');
    });
  });

  test('masquerade chooses the port from the range that is given', async () => {
    const ports = { proto: 'tcp', port: { from: 40000, to: 40009 } } as const;
    await through(outbound(masqueradeRule({ oifname: 's0', ports, flags: ['random'] })), async () => {
      const { peer, peerPort = 0 } = await lab.client.ask({ address: SERVER, port: 80 });
      assert.equal(peer, '192.0.2.1');
      assert.ok(peerPort >= 40000 && peerPort <= 40009, String(peerPort));
    });
  });

  test('snat to a range of addresses and ports stays inside both', async () => {
    const to = {
      address: { from: ip('192.0.2.100'), to: ip('192.0.2.103') },
      port: { from: 5000, to: 5099 },
    };
    await through(outbound(snatRule({ oifname: 's0', proto: 'tcp', to })), async () => {
      for (let i = 0; i < 8; i++) {
        const { peer = '', peerPort = 0 } = await lab.client.ask({ address: SERVER, port: 80 });
        assert.match(peer, /^192\.0\.2\.10[0-3]$/);
        assert.ok(peerPort >= 5000 && peerPort <= 5099, String(peerPort));
      }
    });
  });

  test('snat to one IPv6 address shows the server that address', async () => {
    lab.ns.ip('addr add fd00:2::99/128 dev s0 nodad');
    await through(
      outbound(snatRule({ oifname: 's0', to: { address: { from: ip('fd00:2::99') } } })),
      async () => {
        assert.equal((await lab.client.ask({ address: SERVER6, port: 80 })).peer, 'fd00:2::99');
      },
    );
  });

  test('dnat takes a port of the gateway to another port of the server, which sees the client', async () => {
    const to = { address: { from: ip(SERVER) }, port: 443 };
    await through(inbound(dnatRule({ iifname: 'c0', proto: 'tcp', dport: 8080, to })), async () => {
      const { peer, local, localPort } = await lab.client.ask({ address: '10.1.1.1', port: 8080 });
      assert.deepEqual({ peer, local, localPort }, { peer: '10.1.1.2', local: SERVER, localPort: 443 });
      assert.equal((await lab.client.ask({ address: '10.1.1.1', port: 8081 })).error, 'ECONNREFUSED');
    });
  });

  test('dnat to a range of addresses stays inside it, and keeps the port', async () => {
    const to = { address: { from: ip('192.0.2.2'), to: ip('192.0.2.4') } };
    await through(
      inbound(
        dnatRule({ iifname: 'c0', daddr: ip('10.1.1.1'), proto: 'tcp', dport: { from: 80, to: 90 }, to }),
      ),
      async () => {
        for (let i = 0; i < 8; i++) {
          const { local = '', localPort } = await lab.client.ask({ address: '10.1.1.1', port: 80 });
          assert.match(local, /^192\.0\.2\.[2-4]$/);
          assert.equal(localPort, 80);
        }
      },
    );
  });

  test('dnat of IPv6 takes a port of the gateway to the server', async () => {
    const to = { address: { from: ip(SERVER6) }, port: 443 };
    await through(inbound(dnatRule({ iifname: 'c0', proto: 'tcp', dport: 8080, to })), async () => {
      const { peer, local, localPort } = await lab.client.ask({ address: 'fd00:1::1', port: 8080 });
      assert.deepEqual({ peer, local, localPort }, { peer: 'fd00:1::2', local: SERVER6, localPort: 443 });
    });
  });

  test('dnat of UDP carries question and answer', async () => {
    const to = { address: { from: ip(SERVER) }, port: 53 };
    await through(inbound(dnatRule({ iifname: 'c0', proto: 'udp', dport: 5353, to })), async () => {
      const answer = await lab.client.ask({ proto: 'udp', address: '10.1.1.1', port: 5353 });
      assert.equal(answer.peer, '10.1.1.2');
      assert.equal(
        (await lab.client.ask({ proto: 'udp', address: '10.1.1.1', port: 5354 })).error,
        'ECONNREFUSED',
      );
    });
  });

  test('dnat and masquerade together hide both ends from each other', async () => {
    const to = { address: { from: ip(SERVER) }, port: 80 };
    const chains = [
      ...inbound(dnatRule({ proto: 'tcp', dport: 8080, to })),
      ...outbound(masqueradeRule({ oifname: 's0' })),
    ];
    await through(chains, async () => {
      const { peer, local } = await lab.client.ask({ address: '10.1.1.1', port: 8080 });
      assert.deepEqual({ peer, local }, { peer: '192.0.2.1', local: SERVER });
    });
  });

  test('redirect turns a connection to the server over to the gateway', async () => {
    const rule: NftRule = {
      matches: [{ match: 'dport', protocol: 'tcp', ports: [80] }],
      statements: [{ statement: 'redirect', port: 7777 }],
    };
    await through(inbound(rule), async () => {
      const { local, localPort } = await lab.client.ask({ address: SERVER, port: 80 });
      assert.deepEqual({ local, localPort }, { local: '10.1.1.1', localPort: 7777 });
    });
  });

  test('only destinations that are local to the gateway are published, where fib says so', async () => {
    const rule: NftRule = {
      matches: [
        { match: 'fib daddr type', types: ['local'] },
        { match: 'dport', protocol: 'tcp', ports: [80] },
      ],
      statements: [{ statement: 'dnat', address: { from: ip(SERVER) }, port: 443 }],
    };
    await through(inbound(rule), async () => {
      assert.equal((await lab.client.ask({ address: '192.0.2.1', port: 80 })).localPort, 443);
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).localPort, 80);
    });
  });

  test('policy drop with established,related accepted lets answers back and nothing else', async () => {
    const rules: FilterRuleOptions[] = [
      { ct: ['established', 'related'], action: 'accept' },
      { iifname: 'c0', ct: ['new'], action: 'accept' },
    ];
    await through(forward(...rules), async () => {
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).peer, '10.1.1.2');
      assert.equal((await lab.server.ask({ address: '10.1.1.2', port: 80 }, SILENCE)).error, 'TIMEOUT');
      assert.equal((await lab.server.ask({ address: 'fd00:1::2', port: 80 }, SILENCE)).error, 'TIMEOUT');
    });
    assert.equal((await lab.server.ask({ address: '10.1.1.2', port: 80 })).peer, '192.0.2.2');
  });

  test('only connections that were forwarded by dnat pass, where ct status says so', async () => {
    const chains = [
      ...inbound(
        dnatRule({
          iifname: 'c0',
          proto: 'tcp',
          dport: 8080,
          to: { address: { from: ip(SERVER) }, port: 80 },
        }),
      ),
      {
        ...forward()[0],
        name: 'forward',
        rules: [
          { matches: [{ match: 'ct status', status: ['dnat'] }], statements: [{ statement: 'accept' }] },
        ],
      } satisfies NftChain,
    ];
    await through(chains, async () => {
      assert.equal((await lab.client.ask({ address: '10.1.1.1', port: 8080 })).peer, '10.1.1.2');
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 }, SILENCE)).error, 'TIMEOUT');
    });
  });

  test('a rejected connection is refused at once, by ICMP and by reset, in both families', async () => {
    for (const rejectWith of [undefined, { type: 'tcp reset' } as const]) {
      const rule = {
        proto: 'tcp',
        dport: [80],
        action: 'reject' as const,
        ...(rejectWith === undefined ? {} : { rejectWith }),
      };
      await through(forward(rule, { action: 'accept' }), async () => {
        assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).error, 'ECONNREFUSED');
        assert.equal((await lab.client.ask({ address: SERVER6, port: 80 })).error, 'ECONNREFUSED');
        assert.equal((await lab.client.ask({ address: SERVER, port: 443 })).localPort, 443);
      });
    }
    const prohibited = { action: 'reject', rejectWith: { type: 'icmpx', code: 'admin-prohibited' } } as const;
    await through(forward(prohibited), async () => {
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).error, 'EHOSTUNREACH');
    });
  });

  test('a dropped connection times out, and its counter says how many packets there were', async () => {
    const rules: FilterRuleOptions[] = [
      { proto: 'udp', dport: [53], counter: true, action: 'drop' },
      {
        proto: 'tcp',
        dport: [{ from: 70, to: 90 }, 443],
        saddr: ['10.1.0.0/16' as IpPrefix],
        counter: true,
        action: 'accept',
      },
      { counter: true, ct: ['established'], action: 'accept' },
      { counter: true, action: 'drop' },
    ];
    await through(forward(...rules), async () => {
      assert.equal(
        (await lab.client.ask({ proto: 'udp', address: SERVER, port: 53 }, SILENCE)).error,
        'TIMEOUT',
      );
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).peer, '10.1.1.2');
      const counters = readTable(lab.transport, 'inet', 'nslab-t')?.counters[0]?.map(
        ([counter]) => counter?.packets ?? -1,
      );
      const [udp = 0, tcp = 0, answers = 0, rest = 0] = counters ?? [];
      assert.equal(udp, 1);
      assert.ok(tcp >= 4 && answers >= 3, `${tcp} and ${answers} packets`);
      assert.equal(rest, 0);
      const listed = JSON.parse(lab.ns.exec('nft', '-j', 'list', 'ruleset')).nftables.flatMap(
        (entry: { rule?: { expr: { counter?: { packets: number } }[] } }) =>
          (entry.rule?.expr ?? []).flatMap(({ counter }) => counter?.packets ?? []),
      );
      assert.deepEqual(counters, listed);
    });
  });

  test('an interval set decides at its edges', async () => {
    const edges = [{ from: 81, to: 442 }, 79, { from: 444, to: 65535 }];
    const chains: NftChain[] = [
      {
        name: 'forward',
        base: { type: 'filter', hook: 'forward', priority: 0 },
        rules: [
          {
            // Answers go to a port of the client, which lies in the last range.
            matches: [
              { match: 'iifname', names: ['c0'] },
              { match: 'dport', protocol: 'tcp', ports: edges },
            ],
            statements: [{ statement: 'reject', with: { type: 'tcp reset' } }],
          },
        ],
      },
    ];
    await through(chains, async () => {
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 })).localPort, 80);
      assert.equal((await lab.client.ask({ address: SERVER, port: 443 })).localPort, 443);
    });
    // With nothing listening a port refuses anyway, so the ends are proven by what is accepted and by silence.
    const silent: NftChain[] = [
      {
        ...chains[0],
        name: 'forward',
        rules: [
          {
            matches: [{ match: 'dport', protocol: 'tcp', ports: [{ from: 80, to: 81 }, 443] }],
            statements: [{ statement: 'drop' }],
          },
        ],
      },
    ];
    await through(silent, async () => {
      assert.equal((await lab.client.ask({ address: SERVER, port: 80 }, SILENCE)).error, 'TIMEOUT');
      assert.equal((await lab.client.ask({ address: SERVER, port: 443 }, SILENCE)).error, 'TIMEOUT');
      assert.equal((await lab.client.ask({ address: SERVER, port: 82 })).error, 'ECONNREFUSED');
    });
  });
});
