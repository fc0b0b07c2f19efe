// Broken labs, one for each cause that `nslab test` names: a lab that works is broken with ip(8), nft(8) and sysctl, as a person
// would, and the diagnosis must be the cause and nothing else. The walk has no file to look at: it finds what the kernel has.
// The labs come up and are tested in this process, which takes a tenth of the time of as many command lines.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { LabName } from '../../src/base/names.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { downLab } from '../../src/lab/down.ts';
import { runTests, type TestResult } from '../../src/lab/test-run.ts';
import { subjectOf } from '../../src/lab/test-subject.ts';
import { upLab } from '../../src/lab/up.ts';
import { loadText } from '../../src/topology/load.ts';
import { patience } from '../support/emulated.ts';
import { root, run } from '../support/nslab.ts';
import { hasVlanFiltering } from '../support/shipped.ts';
import { skipKernelLacks, skipUnlessLinkKind, skipUnlessRoot } from '../support/skip.ts';

/** Distributions set rp_filter for new interfaces; what is tested must not depend on it. */
const noFilter = (...ifnames: readonly string[]): string =>
  `sysctls: { ${['all', ...ifnames].map((name) => `net.ipv4.conf.${name}.rp_filter: "0"`).join(', ')} }`;

/** Two hosts on a switch, two routers and a server behind them; both families. */
const line = (more = '') => `
name: broken
nodes:
  sw: { kind: bridge }
  pc1:
    ${noFilter('eth0')}
    interfaces: { eth0: { addresses: [10.0.1.1/24, "2001:db8:1::1/64"] } }
    routes: [default via 10.0.1.254, "default via 2001:db8:1::fe"]
  pc2:
    ${noFilter('eth0')}
    interfaces: { eth0: { addresses: [10.0.1.2/24, "2001:db8:1::2/64"] } }
  r1:
    ${noFilter('lan', 'right')}
    kind: router
    interfaces:
      lan: { addresses: [10.0.1.254/24, "2001:db8:1::fe/64"] }
      right: { addresses: [10.12.0.1/30, "2001:db8:12::1/64"] }
    routes: [10.0.3.0/24 via 10.12.0.2, "2001:db8:3::/64 via 2001:db8:12::2"]
  r2:
    ${noFilter('left', 'srv')}
    kind: router
    interfaces:
      left: { addresses: [10.12.0.2/30, "2001:db8:12::2/64"] }
      srv: { addresses: [10.0.3.254/24, "2001:db8:3::fe/64"] }
    routes: [10.0.1.0/24 via 10.12.0.1, "2001:db8:1::/64 via 2001:db8:12::1"]
  server:
    ${noFilter('eth0')}
    interfaces: { eth0: { addresses: [10.0.3.1/24, "2001:db8:3::1/64"] } }
    routes: [default via 10.0.3.254, "default via 2001:db8:3::fe"]
links:
  - endpoints: ["pc1:eth0", "sw:p1"]
  - endpoints: ["pc2:eth0", "sw:p2"]
  - endpoints: ["r1:lan", "sw:p3"]
  - endpoints: ["r1:right", "r2:left"]
  - endpoints: ["r2:srv", "server:eth0"]
${more}
tests:
  - { name: far, from: pc1, ping: 10.0.3.1 }
  - { name: far6, from: pc1, ping: "2001:db8:3::1" }
  - { name: near, from: pc1, ping: pc2 }
  - { name: near6, from: pc1, ping: "2001:db8:1::2" }
  - { name: tcp, from: pc1, tcp: "10.0.3.1:80" }
  - { name: udp, from: pc1, udp: "10.0.3.1:9" }
  - { name: other, from: pc1, ping: 10.0.11.2 }
  - { name: self, from: pc1, ping: 10.0.1.1 }
  - { name: published, from: pc1, tcp: "10.0.1.254:8080" }
`;

type Case = {
  readonly title: string;
  /** Shell commands. */
  readonly broken: readonly string[];
  /** The test that is looked at. */
  readonly fails: string;
  readonly code: string;
  readonly why: string | RegExp;
  readonly file?: string;
  readonly needs?: string;
};

const nft = (netns: string, ...words: readonly string[]): string[] =>
  words.map((word) => `ip netns exec @${netns} nft '${word}'`);
const forward = [
  'add table inet filter',
  'add chain inet filter forward { type filter hook forward priority 0; }',
];

const cases: readonly Case[] = [
  {
    title: 'a link on the way is down',
    broken: ['ip -n @r2 link set srv down'],
    fails: 'far',
    code: 'link-down',
    why: 'r2:srv is down, and r2 has no route to 10.0.3.0/24 in table main',
  },
  {
    title: 'the link of the target is down',
    broken: ['ip -n @pc2 link set eth0 down'],
    fails: 'near',
    code: 'link-down',
    why: 'pc2:eth0 is down',
  },
  {
    title: 'the link of the target is down, and its IPv6 address with it',
    broken: ['ip -n @pc2 link set eth0 down'],
    fails: 'near6',
    code: 'link-down',
    why: 'pc2:eth0 is down',
  },
  {
    title: 'the link of the source is down',
    broken: ['ip -n @pc1 link set eth0 down'],
    fails: 'near',
    code: 'link-down',
    why: 'pc1:eth0 is down, and pc1 has no route to 10.0.1.0/24 in table main',
  },
  {
    title: 'a port of the switch is down',
    broken: ['ip -n @sw link set p2 down'],
    fails: 'near',
    code: 'link-down',
    why: 'sw:p2 is down',
  },
  {
    title: 'lo is down',
    broken: ['ip -n @pc1 link set lo down'],
    fails: 'self',
    code: 'link-down',
    why: 'pc1:lo is down',
  },
  {
    title: 'the target has no address',
    broken: ['ip -n @server addr flush dev eth0'],
    fails: 'far',
    code: 'no-address',
    why: 'server:eth0 has no IPv4 address, and nobody on the wire of r2:srv has 10.0.3.1',
  },
  {
    title: 'the source has no address',
    broken: ['ip -n @pc1 addr flush dev eth0'],
    fails: 'near',
    code: 'no-address',
    why: 'pc1:eth0 has no IPv4 address',
  },
  {
    title: 'the target has another address',
    broken: ['ip -n @pc2 addr del 10.0.1.2/24 dev eth0', 'ip -n @pc2 addr add 10.0.1.3/24 dev eth0'],
    fails: 'near',
    code: 'no-neighbour',
    why: 'pc1: nobody has 10.0.1.2 on the wire of eth0 (there are pc2:eth0 10.0.1.3/24, r1:lan 10.0.1.254/24)',
  },
  {
    title: 'the target is in another subnet',
    broken: ['ip -n @pc1 route del default', 'ip -n @pc2 addr add 10.0.11.2/24 dev eth0'],
    fails: 'other',
    code: 'no-route',
    why: 'pc1: no route to 10.0.11.0/24 in table main: pc2:eth0 has 10.0.11.2/24, and pc1:eth0 on the same wire 10.0.1.1/24',
  },
  {
    title: 'the mask of the target is too long',
    broken: ['ip -n @pc2 addr del 10.0.1.2/24 dev eth0', 'ip -n @pc2 addr add 10.0.1.2/31 dev eth0'],
    fails: 'near',
    code: 'no-route',
    why: 'on the way back pc2: no route to 10.0.1.0/24 in table main: pc1:eth0 has 10.0.1.1/24, and pc2:eth0 on the same wire 10.0.1.2/31',
  },
  {
    title: 'a router has no route',
    broken: ['ip -n @r1 route del 10.0.3.0/24'],
    fails: 'far',
    code: 'no-route',
    why: 'r1: no route to 10.0.3.0/24 in table main',
  },
  {
    title: 'a router has no IPv6 route',
    broken: ['ip -n @r1 -6 route del 2001:db8:3::/64'],
    fails: 'far6',
    code: 'no-route',
    why: 'r1: no route to 2001:db8:3::/64 in table main',
  },
  {
    title: 'the source has no default route',
    broken: ['ip -n @pc1 route del default'],
    fails: 'far',
    code: 'no-route',
    why: 'pc1: no route to 10.0.3.0/24 in table main',
  },
  {
    title: 'there is no way back: the far side knows no private address, and nobody translates it',
    broken: ['ip -n @r2 route del 10.0.1.0/24'],
    fails: 'far',
    code: 'no-route',
    why: 'on the way back r2: no route to 10.0.1.0/24 in table main (on the way there, r1 and r2 gave it no other source address)',
  },
  {
    title: 'a blackhole route',
    broken: ['ip -n @r2 route add blackhole 10.0.3.1/32'],
    fails: 'far',
    code: 'bad-route',
    why: 'r2: blackhole route 10.0.3.1/32 in table main',
  },
  {
    title: 'an unreachable route',
    broken: ['ip -n @r1 route replace unreachable 10.0.3.0/24'],
    fails: 'tcp',
    code: 'bad-route',
    why: 'r1: unreachable route 10.0.3.0/24 in table main',
  },
  {
    title: 'an IPv6 route that prohibits',
    broken: ['ip -n @r1 -6 route add prohibit 2001:db8:3::1/128'],
    fails: 'far6',
    code: 'bad-route',
    why: 'r1: prohibit route 2001:db8:3::1/128 in table main',
  },
  {
    title: 'a gateway that is not on the link',
    broken: [
      'ip -n @pc1 route replace default via 10.12.0.1 dev eth0 onlink',
      'ip netns exec @r1 sysctl -qw net.ipv4.conf.lan.arp_ignore=1',
    ],
    fails: 'far',
    code: 'no-neighbour',
    why: 'pc1: nobody has 10.12.0.1, the gateway of default, on the wire of eth0; r1:right has it, on another wire',
  },
  {
    title: 'a gateway that nobody is',
    broken: ['ip -n @pc1 route replace default via 10.0.1.99'],
    fails: 'far',
    code: 'no-neighbour',
    why: /^pc1: nobody has 10\.0\.1\.99, the gateway of default, on the wire of eth0 \(there are /,
  },
  {
    title: 'two have the address of the gateway',
    broken: [
      'ip -n @pc2 addr add 10.0.1.254/24 dev eth0',
      'ip -n @pc1 neigh replace 10.0.1.254 dev eth0 nud reachable lladdr $(ip -n @pc2 -br link show eth0 | tr -s " " | cut -d" " -f3)',
    ],
    fails: 'far',
    code: 'duplicate-address',
    why: /^10\.0\.1\.254 is on (pc2:eth0 and on r1:lan|r1:lan and on pc2:eth0) as well$/,
  },
  {
    title: 'forwarding is off',
    broken: ['ip netns exec @r2 sysctl -qw net.ipv4.ip_forward=0'],
    fails: 'far',
    code: 'forwarding-off',
    why: 'r2: forwarding is off (net.ipv4.ip_forward)',
  },
  {
    title: 'forwarding is off on one interface',
    broken: ['ip netns exec @r1 sysctl -qw net.ipv4.conf.lan.forwarding=0'],
    fails: 'far',
    code: 'forwarding-off',
    why: 'r1: forwarding is off (net.ipv4.conf.lan.forwarding)',
  },
  {
    title: 'IPv6 forwarding is off',
    broken: ['ip netns exec @r2 sysctl -qw net.ipv6.conf.all.forwarding=0'],
    fails: 'far6',
    code: 'forwarding-off',
    why: 'r2: forwarding is off (net.ipv6.conf.all.forwarding)',
  },
  {
    title: 'a port is not in the bridge',
    broken: ['ip -n @sw link set p2 nomaster'],
    fails: 'near',
    code: 'not-in-bridge',
    why: 'sw: port p2 is not in br0',
  },
  {
    title: 'two ports are in different bridges',
    broken: [
      'ip -n @sw link add br1 type bridge',
      'ip -n @sw link set br1 up',
      'ip -n @sw link set p2 master br1',
    ],
    fails: 'near',
    code: 'not-in-bridge',
    why: 'sw: port p2 is in br1, and p1 in br0',
  },
  {
    title: 'the bridge is down',
    broken: ['ip -n @sw link set br0 down'],
    fails: 'near',
    code: 'bridge-down',
    why: 'sw: bridge br0 is down',
  },
  {
    title: 'both ports are isolated',
    broken: ['bridge -n @sw link set dev p1 isolated on', 'bridge -n @sw link set dev p2 isolated on'],
    fails: 'near',
    code: 'isolated',
    why: 'sw: ports p1 and p2 are both isolated',
  },
  {
    title: 'a port is blocked',
    broken: ['bridge -n @sw link set dev p2 state 0'],
    fails: 'near',
    code: 'port-blocked',
    why: 'sw: port p2 of br0 is disabled',
  },
  {
    title: 'a port is in another VLAN',
    needs: 'bridge vlan_filtering',
    broken: [
      'ip -n @sw link set br0 type bridge vlan_filtering 1',
      'bridge -n @sw vlan add dev p2 vid 20 pvid untagged',
      'bridge -n @sw vlan del dev p2 vid 1',
    ],
    fails: 'near',
    code: 'vlan',
    why: 'sw: port p2 is not in VLAN 1',
  },
  {
    title: 'the forwarding database has an entry made by hand',
    broken: [
      'bridge -n @sw fdb replace $(ip -n @pc2 -br link show eth0 | tr -s " " | cut -d" " -f3) dev p3 master static sticky',
    ],
    fails: 'near',
    code: 'wrong-fdb',
    why: /^sw: the fdb has [0-9a-f:]{17} at port p3, and pc2:eth0 is behind p2$/,
  },
  {
    title: 'a neighbour entry made by hand is wrong',
    broken: ['ip -n @pc1 neigh replace 10.0.1.2 dev eth0 lladdr 02:00:00:00:00:99 nud permanent'],
    fails: 'near',
    code: 'wrong-neighbour',
    why: /^pc1: the neighbour entry of 10\.0\.1\.2 on eth0 has 02:00:00:00:00:99, and pc2:eth0 is /,
  },
  {
    title: 'a router drops what it forwards',
    file: line().replace(
      '    kind: router\n    interfaces:\n      lan',
      '    kind: router\n    firewall: { forward: { policy: accept, rules: [{ proto: udp, action: accept }, { proto: icmp, action: drop }] } }\n    interfaces:\n      lan',
    ),
    broken: [],
    fails: 'far',
    code: 'dropped',
    why: 'r1: dropped by rule 2 of firewall.forward',
  },
  {
    title: 'the policy of a chain drops',
    file: line().replace(
      '    kind: router\n    interfaces:\n      lan',
      '    kind: router\n    firewall: { forward: { policy: drop, rules: [{ proto: udp, action: accept }] } }\n    interfaces:\n      lan',
    ),
    broken: [],
    fails: 'tcp',
    code: 'dropped',
    why: 'r1: dropped by the policy of firewall.forward',
  },
  {
    title: 'the answers are dropped',
    broken: nft('r1', ...forward, 'add rule inet filter forward iifname "right" ip protocol icmp drop'),
    fails: 'far',
    code: 'dropped',
    why: 'on the way back r1: dropped by rule 1 of chain forward of table inet filter',
  },
  {
    title: 'a jump leads to a rule that rejects',
    broken: nft(
      'r2',
      ...forward,
      'add chain inet filter web',
      'add rule inet filter web tcp dport { 80, 443 } reject with tcp reset',
      'add rule inet filter forward ip saddr 10.0.1.0/24 jump web',
    ),
    fails: 'tcp',
    code: 'rejected',
    why: 'r2: rejected by rule 1 of chain web of table inet filter',
  },
  {
    title: 'the target drops what comes in',
    broken: nft(
      'server',
      'add table ip mine',
      'add chain ip mine in { type filter hook input priority 0; policy drop; }',
      'add rule ip mine in ct state established accept',
    ),
    fails: 'far',
    code: 'dropped',
    why: 'server: dropped by the policy of chain in of table ip mine',
  },
  {
    title: 'the source drops what goes out',
    broken: nft(
      'pc1',
      'add table inet mine',
      'add chain inet mine out { type filter hook output priority 0; }',
      'add rule inet mine out meta mark 0 counter ip daddr 10.0.3.1 drop',
    ),
    fails: 'far',
    code: 'dropped',
    why: 'pc1: dropped by rule 1 of chain out of table inet mine',
  },
  {
    title: 'a port is forwarded to nobody',
    broken: nft(
      'r1',
      'add table ip nat',
      'add chain ip nat pre { type nat hook prerouting priority -100; }',
      'add rule ip nat pre tcp dport 8080 dnat to 10.0.3.77:80',
    ),
    fails: 'published',
    code: 'no-neighbour',
    why: /^r2: nobody has 10\.0\.3\.77 on the wire of srv/,
  },
  {
    title: 'a port is forwarded to one where nobody listens',
    broken: nft(
      'r1',
      'add table ip nat',
      'add chain ip nat pre { type nat hook prerouting priority -100; }',
      'add rule ip nat pre tcp dport 8080 dnat to 10.0.3.1:80',
    ),
    fails: 'published',
    code: 'nobody-listens',
    why: 'server: nobody listens on tcp port 80, to which rule 1 of chain pre of table ip nat sends',
  },
  {
    title: 'rp_filter and another way back',
    broken: [
      'ip netns exec @r2 sysctl -qw net.ipv4.conf.all.rp_filter=1',
      'ip -n @r2 route replace 10.0.1.0/24 via 10.0.3.1',
    ],
    fails: 'far',
    code: 'rp-filter',
    why: 'r2: rp_filter on left drops packets from 10.0.1.1: the way back leads out of srv',
  },
  {
    title: 'rp_filter that wants any way back',
    broken: [
      'ip netns exec @r2 sysctl -qw net.ipv4.conf.left.rp_filter=2',
      'ip -n @r2 route del 10.0.1.0/24',
    ],
    fails: 'far',
    code: 'no-route',
    why: 'r2: no route to 10.0.1.0/24 in table main, and rp_filter on left drops what comes from there',
  },
  {
    title: 'nobody listens',
    broken: [],
    fails: 'tcp',
    code: 'nobody-listens',
    why: 'server: nobody listens on tcp port 80',
  },
  {
    title: 'nobody listens, by UDP',
    broken: [],
    fails: 'udp',
    code: 'nobody-listens',
    why: 'server: nobody listens on udp port 9',
  },
  {
    title: 'echo requests are ignored',
    broken: ['ip netns exec @server sysctl -qw net.ipv4.icmp_echo_ignore_all=1'],
    fails: 'far',
    code: 'ignored',
    why: 'server: net.ipv4.icmp_echo_ignore_all is on',
  },
  {
    title: 'a rule leads into an empty table',
    broken: ['ip -n @r1 rule add pref 100 from 10.0.1.0/24 lookup 100', 'ip -n @r1 route del 10.0.3.0/24'],
    fails: 'far',
    code: 'no-route',
    why: 'r1: no route to 10.0.3.0/24 in table 100, to which rule 100 leads, nor in table main',
  },
  {
    title: 'a rule prohibits',
    broken: ['ip -n @r1 rule add pref 100 from 10.0.1.0/24 prohibit'],
    fails: 'far',
    code: 'bad-route',
    why: 'r1: rule 100 says prohibit',
  },
  {
    title: 'two routers send packets to each other',
    broken: ['ip -n @r2 route add 10.0.3.1/32 via 10.12.0.1'],
    fails: 'far',
    code: 'loop',
    why: /packets to 10\.0\.3\.1 go round in a loop: (r1, r2|r2, r1)$/,
  },
];

/** An answer comes in a millisecond, or never. */
const TIMEOUT_MS = patience(400);
/** Labs that are up at the same time: most of the time is waiting for what does not come. */
const AT_ONCE = 6;

/** Brings the lab up, and takes it down again whatever the body does. */
async function withLab(text: string, prefix: string, body: (lab: LabName) => Promise<void>): Promise<void> {
  const kernel = new LinuxKernel();
  const { lab } = loadText(text, { path: '-', env: {}, vars: {}, prefix });
  try {
    await upLab({ lab, file: '-', kernel, onEvent: () => undefined });
    await body(lab.name);
  } finally {
    downLab({ lab: lab.name, kernel, onEvent: () => undefined, fault: undefined });
    kernel.close();
  }
}

/** Runs the tests of these names. */
async function resultsOf(name: LabName, ...names: readonly string[]): Promise<readonly TestResult[]> {
  const subject = subjectOf(name);
  const tests = subject.lab.tests.filter((one) => names.includes(one.name));
  const report = await runTests({ ...subject, lab: { ...subject.lab, tests } }, { timeout: TIMEOUT_MS });
  return report.tests;
}

/** `@r1` is the namespace of r1. */
function shell(commands: readonly string[], prefix = ''): void {
  if (commands.length === 0) return;
  const script = commands.map((command) => command.replace(/@(?=[a-z])/g, prefix)).join('\n');
  const { status, stderr } = run(['bash', '-euc', script]);
  assert.equal(status, 0, `${script}\n${stderr}`);
}

function lacks(t: TestContext, feature: string | undefined): boolean {
  if (feature !== 'bridge vlan_filtering' || hasVlanFiltering()) return false;
  skipKernelLacks(t, feature);
  return true;
}

test('each cause is found, and no other', { concurrency: AT_ONCE }, async (t) => {
  if (skipUnlessRoot(t)) return;
  await Promise.all(
    cases.map((one, i) => {
      const prefix = `c${i}-`;
      return t.test(one.title, async (inner) => {
        const { needs, file = line(), broken, fails, code, why } = one;
        if (lacks(inner, needs)) return;
        await withLab(file, prefix, async (lab) => {
          shell(broken, prefix);
          const [result] = await resultsOf(lab, fails);
          assert.equal(result?.passed, false, result?.found);
          const text = result?.died?.text ?? '';
          if (typeof why === 'string') assert.equal(text, why);
          else assert.match(text, why);
          assert.equal(result?.died?.code, code);
        });
      });
    }),
  );
});

test('a lab that is not broken has nothing to diagnose, and shows the way that packets take', async (t) => {
  if (skipUnlessRoot(t)) return;
  await withLab(line(), 'w-', async (lab) => {
    const results = await resultsOf(lab, 'far', 'far6', 'near', 'near6', 'self', 'tcp');
    const passed = results.filter((one) => one.passed).map(({ name }) => name);
    assert.deepEqual(passed, ['far', 'far6', 'near', 'near6', 'self']);
    const tcp = results.find(({ name }) => name === 'tcp');
    assert.deepEqual(tcp?.died?.path, ['pc1', 'r1', 'r2', 'server']);
  });
});

test('long packets vanish where the message that they are too long is dropped', async (t) => {
  if (skipUnlessRoot(t)) return;
  const server = `require('node:http').createServer((q, a) => a.end('x'.repeat(q.url === '/long' ? 9000 : 9))).listen(80)`;
  const command = ['setsid', '-f', 'sh', '-c', `exec node -e "${server}" </dev/null >/dev/null 2>&1`];
  const file = line()
    .replace('  server:\n', `  server:\n    exec: [${JSON.stringify(command)}]\n`)
    .replace(
      /tests:[\s\S]*/,
      `tests:
  - { name: short, from: pc1, http: "http://10.0.3.1/", within: 30s }
  - { name: long, from: pc1, http: "http://10.0.3.1/long", expect: { status: 200, stdout: xxx }, within: 30s }
  - { name: long at once, from: pc1, http: "http://10.0.3.1/long" }
`,
    );
  await withLab(file, 'm-', async (lab) => {
    const before = await resultsOf(lab, 'short', 'long');
    assert.deepEqual(
      before.map(({ found }) => found),
      ['status 200', 'status 200'],
    );
    const drop = nft(
      'r2',
      'add table ip mine',
      'add chain ip mine out { type filter hook output priority 0; }',
      'add rule ip mine out icmp type destination-unreachable drop',
    );
    shell(['ip -n @r2 link set left mtu 1400', ...drop], 'm-');
    const [short, long] = await resultsOf(lab, 'short', 'long at once');
    assert.equal(short?.passed, true, short?.found);
    assert.equal(
      long?.died?.text,
      'on the way back r2:left has MTU 1400, packets of 1500 bytes do not fit, and the message that says so is lost (r2: dropped by rule 1 of chain out of table ip mine)',
    );
  });
});

test('the underlay of a tunnel is walked as well', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLinkKind(t, 'vxlan')) return;
  const file = readFileSync(join(root, 'topologies/vxlan.yaml'), 'utf8');
  await withLab(file, 't-', async (lab) => {
    const inside = 'and so do the containers inside';
    assert.equal((await resultsOf(lab, inside))[0]?.passed, true);
    shell(['ip netns exec @backbone sysctl -qw net.ipv4.ip_forward=0'], 't-');
    const [after] = await resultsOf(lab, inside);
    assert.equal(after?.died?.text, 'backbone: forwarding is off (net.ipv4.ip_forward)');
  });
});

/** Breaks a shipped lab, and returns why the test of that name fails then. */
async function brokenShipped(
  name: string,
  broken: readonly string[],
  fails: string,
): Promise<string | undefined> {
  const file = readFileSync(join(root, `topologies/${name}.yaml`), 'utf8');
  let text: string | undefined;
  await withLab(file, 's-', async (lab) => {
    // A first handshake that was lost is repeated after five seconds.
    const deadline = Date.now() + patience(10_000);
    let [before] = await resultsOf(lab, fails);
    while (before?.passed !== true && Date.now() < deadline) [before] = await resultsOf(lab, fails);
    assert.equal(before?.passed, true, before?.found);
    shell(broken, 's-');
    const [result] = await resultsOf(lab, fails);
    assert.equal(result?.passed, false, result?.found);
    text = result?.died?.text;
  });
  return text;
}

test('a vrf has its own table', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLinkKind(t, 'vrf')) return;
  const broken = [
    'ip netns exec @router sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.to-red1.rp_filter=2',
    'ip -n @router route del 10.0.9.0/24 table 10',
  ];
  assert.equal(
    await brokenShipped('vrf', broken, 'red1: ping 10.0.9.1'),
    'router: unreachable route default in table 10',
  );
});

test('behind a VLAN device, a trunk that lacks the VLAN is found', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLinkKind(t, 'vlan')) return;
  const broken = ['bridge -n @sw2 vlan del dev trunk vid 10'];
  assert.equal(
    await brokenShipped('vlan', broken, 'sales1: ping sales2'),
    'sw2: port trunk is not in VLAN 10',
  );
});

test('a WireGuard tunnel is walked by the keys of its ends, and what is below it', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLinkKind(t, 'wireguard')) return;
  const fails = 'laptop: ping server';
  assert.equal(
    await brokenShipped('wireguard', ['ip netns exec @internet sysctl -qw net.ipv4.ip_forward=0'], fails),
    'internet: forwarding is off (net.ipv4.ip_forward)',
  );
  assert.equal(
    await brokenShipped('wireguard', ['ip -n @office link set wg0 down'], fails),
    'office:wg0 is down',
  );
});
