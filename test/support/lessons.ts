// The point of each shipped topology, checked on the running lab by what the kernel shows (`ip -j`, `nft -j`) and by packets.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { patience } from './emulated.ts';
import { NetAgent } from './net-agent.ts';
import { nslabOk, type UpLab } from './nslab.ts';
import { connect } from './probe.ts';
import { NIC } from './shipped.ts';

/** Runs a subtest. */
type Check = (title: string, body: () => void | Promise<void>) => Promise<void>;
type Lesson = (lab: UpLab, check: Check) => Promise<void>;

// biome-ignore lint/suspicious/noExplicitAny: what `ip -j` prints is read field by field in assertions
type Json = any;

function json(file: string, words: string): Json {
  const output = execFileSync(file, words.split(' '), { encoding: 'utf8' }).trim();
  return output === '' ? [] : JSON.parse(output);
}
const ip = (words: string): Json => json('ip', `-j ${words}`);
const bridge = (words: string): Json => json('bridge', `-j ${words}`);

function macOf(netns: string, dev: string): string {
  return ip(`-n ${netns} link show ${dev}`)[0].address;
}

function portsOf(netns: string, master: string): string[] {
  return ip(`-n ${netns} link show master ${master}`).map((link: Json) => link.ifname);
}

function received(netns: string, dev: string): number {
  return ip(`-n ${netns} -s link show ${dev}`)[0].stats64.rx.packets;
}

/** The address from which the server sees the client's connection. */
async function seenBy(
  server: { netns: string; address: string; port: number },
  client: string,
): Promise<string> {
  await using listening = new NetAgent({ name: server.netns });
  await using asking = new NetAgent({ name: client });
  await listening.serve(server);
  const answer = await asking.ask(server);
  return answer.peer ?? `error ${answer.error}`;
}

/** The addresses that the routers on the way, and back, left in the packet: IP's record route option (RFC 791). */
function recordedRoute(lab: UpLab, node: string, ...target: string[]): string[] {
  const output = lab.ok(node, 'ping', '-n', '-R', '-c', '1', '-W', '5', ...target);
  const [, recorded = ''] = /RR:([\s\S]*?)\n\n/.exec(output) ?? [];
  return recorded.split(/\s+/).filter((word) => word !== '');
}

function isSilent(lab: UpLab, node: string, ...target: string[]): boolean {
  return lab.exec(node, 'ping', '-n', '-c', '1', '-W', '1', ...target).status !== 0;
}

/** Packets counted by the rule with that comment. */
function counted(netns: string, comment: string): number {
  const ruleset = JSON.parse(
    execFileSync('ip', ['netns', 'exec', netns, 'nft', '-j', 'list', 'ruleset'], { encoding: 'utf8' }),
  );
  const rule = ruleset.nftables.find((entry: Json) => entry.rule?.comment === comment)?.rule;
  return rule.expr.find((part: Json) => part.counter !== undefined).counter.packets;
}

/** Sends one UDP packet from each of the ports, so that each is a flow of its own. */
function sendFlows(
  lab: UpLab,
  node: string,
  to: { address: string; port: number; from: readonly number[] },
): void {
  const script = `
    const [address, port, ...ports] = process.argv.slice(1);
    for (const from of ports) {
      const socket = require('node:dgram').createSocket('udp4').bind(Number(from));
      socket.on('listening', () => socket.send('x', Number(port), address, () => socket.close()));
    }`;
  lab.ok(node, process.execPath, '-e', script, to.address, String(to.port), ...to.from.map(String));
}

const wireEnd = { ifname: 'veth1', linkinfo: { info_kind: 'veth' } };

export const lessons: Readonly<Record<string, Lesson>> = {
  'two-namespaces': async (_lab, check) => {
    await check('the namespace has its end of the wire and what every new namespace has, lo', () => {
      // Tunnel modules, once loaded, put a device into every namespace (fb_tunnels_only_for_init_net, sysctl/net.rst).
      const fresh = json('unshare', '-n ip -j -d link show');
      const kinds = (links: Json): string[][] =>
        links.map((link: Json) => [link.ifname, link.linkinfo?.info_kind ?? '']).sort();
      const links = ip('-n test_ns -d link show');
      assert.deepEqual(kinds(links), kinds([...fresh, wireEnd]));
      const isUp = (name: string) => links.find(({ ifname }: Json) => ifname === name).flags.includes('UP');
      assert.ok(isUp('lo') && isUp('veth1'));
    });
    await check('its only route leads to the subnet of the wire', () => {
      const routes = ip('-n test_ns route show').map((route: Json) => [route.dst, route.dev, route.prefsrc]);
      assert.deepEqual(routes, [['10.1.1.0/24', 'veth1', '10.1.1.1']]);
    });
  },

  switch: async (lab, check) => {
    await check('the bridge has a port for each wire', () => assert.equal(portsOf('sw', 'br0').length, 3));
    await check('the bridge learned behind which port each host is', () => {
      lab.ok('pc1', 'ping', '-c', '1', 'pc2');
      lab.ok('pc3', 'ping', '-c', '1', 'pc2');
      const learned = bridge('-n sw fdb show br br0').filter((entry: Json) => entry.state === '');
      const ports = ['pc1', 'pc2', 'pc3'].map((pc) => {
        const entry = learned.find(({ mac }: Json) => mac === macOf(pc, 'eth0'));
        return entry?.ifname;
      });
      assert.equal(new Set(ports).size, 3, JSON.stringify(learned));
      assert.ok(!ports.includes(undefined), JSON.stringify(learned));
    });
    await check('a host does not get what two others say to each other', () => {
      const before = received('pc3', 'eth0');
      lab.ok('pc1', 'ping', '-c', '20', '-i', '0.002', 'pc2');
      const got = received('pc3', 'eth0') - before;
      assert.ok(got < 20, `pc3 received ${got} packets`);
    });
  },

  docker0: async (_lab, check) => {
    await check('the host ends of the wires are ports of the bridge on the host', () => {
      const ports = ip('link show master br-docker0').map((link: Json) => link.ifname);
      assert.deepEqual(ports.sort(), ['vethc1', 'vethc2']);
    });
    await check('the internet sees the address of the host, not that of the container', async () => {
      const server = { netns: 'internet', address: '203.0.113.2', port: 80 };
      assert.equal(await seenBy(server, 'c1'), '203.0.113.1');
      assert.equal(await seenBy(server, 'c2'), '203.0.113.1');
    });
    await check('between containers nothing is translated', async () => {
      assert.equal(await seenBy({ netns: 'c2', address: '10.17.0.3', port: 80 }, 'c1'), '10.17.0.2');
    });
  },

  nat: async (_lab, check) => {
    await check('the outside sees the address of the gateway', async () => {
      const server = { netns: 'outside', address: '198.51.100.1', port: 80 };
      assert.equal(await seenBy(server, 'pc1'), '198.51.100.2');
      assert.equal(await seenBy(server, 'pc2'), '198.51.100.2');
    });
    await check('inside, nothing is translated', async () => {
      assert.equal(await seenBy({ netns: 'pc2', address: '10.1.1.2', port: 80 }, 'pc1'), '10.1.1.1');
    });
  },

  dnat: async (lab, check) => {
    const get = (port: number) =>
      lab.exec('client', 'curl', '-sS', '-m', '5', `http://198.51.100.2:${port}/`);
    await check('the forwarded ports reach the server, which sees the real client', () => {
      for (const port of [8080, 9000, 9004, 9009]) {
        assert.equal(get(port).stdout, 'web says hello to 203.0.113.9\n', `port ${port}`);
      }
    });
    await check('the port after the range is refused by the gateway itself', () => {
      assert.equal(connect(lab, 'client', { host: '198.51.100.2', port: 9010 }).stdout, 'ECONNREFUSED');
    });
    await check('UDP is forwarded to another port', () => {
      const script = `
        const socket = require('node:dgram').createSocket('udp4');
        setTimeout(() => process.exit(1), 5000);
        socket.on('message', (text, { port }) => { process.stdout.write(text + ' from ' + port); process.exit(0); });
        socket.send('who', 5353, '198.51.100.2');`;
      assert.equal(lab.ok('client', process.execPath, '-e', script), 'who from 5353');
    });
  },

  containers: async (lab, check) => {
    await check('app has started when db was healthy, and ps shows both', () => {
      const rows = JSON.parse(nslabOk(['ps', '--json', '--lab', lab.name]));
      assert.deepEqual(
        rows.map((row: Json) => [row.node, row.status, row.state.health ?? null]),
        [
          ['db', 'running', 'healthy'],
          ['app', 'running', null],
        ],
      );
      assert.ok(rows[1].state.started > rows[0].state.started);
    });
    await check('a name, process numbers and files of its own', () => {
      assert.equal(lab.ok('app', 'hostname'), 'application\n');
      assert.equal(lab.ok('app', 'cat', '/proc/1/comm'), 'nslab-init\n');
      assert.equal(lab.ok('db', 'cat', '/tmp/state'), 'ready\n');
      assert.notEqual(lab.exec('app', 'test', '-e', '/tmp/state').status, 0);
      assert.equal(nslabOk(['logs', 'db']), 'the database is ready\n');
    });
    await check('each kind of namespace, from inside and from outside, by the commands of the file', () => {
      const inside = (command: string): string => lab.ok('app', ...command.split(' '));
      const outside = (command: string): string =>
        execFileSync('sh', ['-c', command], { encoding: 'utf8' }).trimEnd();
      // uts
      assert.notEqual(inside('hostname').trimEnd(), outside('hostname'));
      // pid: PID and command of `ps -e`, and what `top` says of the same process outside.
      assert.match(inside('ps -e'), /^ +1 \S+ +\S+ nslab-init$/m);
      const [first] = JSON.parse(nslabOk(['top', 'app', '--json'])) as { pid: number; inside: number }[];
      assert.equal(first?.inside, 1);
      assert.match(outside(`ps -e -o pid,comm`), new RegExp(`^ *${first?.pid} nslab-init$`, 'm'));
      // ipc
      const queues = (text: string): number => text.match(/^0x/gm)?.length ?? 0;
      const before = queues(outside('ipcs -q'));
      inside('ipcmk -Q');
      assert.deepEqual([queues(inside('ipcs -q')), queues(outside('ipcs -q'))], [1, before]);
      // mnt
      assert.match(inside('mount'), /^nslab on \/ type overlay/m);
      inside('touch /etc/written-inside');
      assert.match(nslabOk(['changes', 'app']), /^A \/etc\/written-inside$/m);
      assert.equal(outside('ls /etc/written-inside 2>&1 | grep -c "No such"'), '1');
      assert.doesNotMatch(outside('cat /proc/mounts'), /nslab \S+ overlay/);
      // net
      assert.match(inside('ip addr'), / 10\.6\.0\.2\/24 /);
      assert.doesNotMatch(outside('ip addr'), / 10\.6\.0\.2\//);
      // The other end's namespace has a name outside and a number inside.
      const addresses = (text: string): string => text.trimEnd().replaceAll(/ link-netns(id)? .*/g, '');
      assert.equal(addresses(outside('ip netns exec app ip addr')), addresses(inside('ip addr')));
      // cgroup
      assert.match(inside('cat /proc/self/cgroup'), /^(\S+:\/\n)+$/);
      assert.match(outside(`cat /proc/${first?.pid}/cgroup`), /\/nslab\/containers\/app$/m);
      // Who it is: the same number, without what root may do outside.
      const capabilities = (text: string): bigint => BigInt(`0x${/CapEff:\s*(\S+)/.exec(text)?.[1]}`);
      const status = 'grep CapEff /proc/self/status';
      assert.match(inside('id'), /^uid=0\(root\)/);
      assert.equal(capabilities(inside(status)), 0xa80425fbn);
      assert.notEqual(capabilities(outside(status)), 0xa80425fbn);
    });
    await check('a namespace that iproute2 knows by its name', () => {
      assert.deepEqual(
        ip('-n app addr show eth0')[0].addr_info.map((entry: Json) => entry.local),
        ['10.6.0.2'],
      );
    });
  },

  networks: async (lab, check) => {
    const curl = (node: string, url: string) => lab.ok(node, 'curl', '-sS', '-m', '10', url);
    await check('web sees the machine on loopback, and from outside who really calls', () => {
      assert.equal(curl('host', 'http://127.0.0.1:8080/'), 'web says hello to 10.8.1.1\n');
      assert.equal(curl('host', 'http://[::1]:9001/'), 'web says hello to 10.8.1.1\n');
      assert.equal(curl('outside', 'http://203.0.113.1:8080/'), 'web says hello to 203.0.113.2\n');
      assert.equal(curl('proxy', 'http://203.0.113.1:9002/'), 'web says hello to 10.8.1.1\n');
    });
    await check('web reaches itself by the address of the machine, and seems to be the bridge', () => {
      assert.equal(curl('web', 'http://203.0.113.1:8080/'), 'web says hello to 10.8.1.1\n');
    });
    await check('the outside sees the address of the machine', async () => {
      const server = { netns: 'outside', address: '203.0.113.2', port: 80 };
      assert.equal(await seenBy(server, 'proxy'), '203.0.113.1');
    });
    await check('an alias is known in its network alone', () => {
      assert.match(lab.ok('web', 'getent', 'hosts', 'database'), /^10\.8\.2\.10 /);
      assert.notEqual(lab.exec('proxy', 'getent', 'hosts', 'database').status, 0);
    });
    await check('another network, and what is not published, answers that it must not be reached', () => {
      assert.match(lab.exec('proxy', 'ping', '-c', '1', '-W', '1', 'db').stdout, /Packet filtered/);
      execFileSync('ip', 'netns exec outside ip route add 10.8.1.0/24 via 203.0.113.1'.split(' '));
      assert.match(lab.exec('outside', 'ping', '-c', '1', '-W', '1', '10.8.1.2').stdout, /Packet filtered/);
    });
    await check('ps shows the ports, and they outlive the process', () => {
      const [web] = JSON.parse(nslabOk(['ps', '--json', '--lab', lab.name]));
      assert.deepEqual(web.ports, [
        '0.0.0.0:8080->80/tcp',
        '127.0.0.1:5353->53/udp',
        '0.0.0.0:9000-9002->9000-9002/tcp',
      ]);
      nslabOk(['restart', 'web']);
      const words = ['--retry', '20', '--retry-delay', '1', '--retry-all-errors', 'http://127.0.0.1:8080/'];
      assert.equal(lab.ok('host', 'curl', '-s', '-m', '10', ...words), 'web says hello to 10.8.1.1\n');
    });
  },

  impaired: async (lab, check) => {
    const fastest = (node: string, target: string): number => {
      const { stdout } = lab.exec(node, 'ping', '-q', '-c', '5', '-i', '0.2', '-W', '3', target);
      return Number(/= ([\d.]+)\//.exec(stdout)?.[1] ?? Number.NaN);
    };
    await check('what crosses the satellite is late both ways, and the line alone is not', () => {
      const far = fastest('pc', '10.3.0.1');
      assert.ok(far > 150, `${far} ms`);
      const near = fastest('router', '10.2.0.2');
      assert.ok(near < 100, `${near} ms`);
    });
    await check('the line is slower upwards than downwards', () => {
      const rate = (node: string) => json('tc', `-j -n ${node} qdisc show dev line`)[0].options.rate;
      assert.deepEqual([rate('router'), rate('provider')], [125_000, 2_000_000]);
    });
    await check('impair changes one direction, and --clear ends it', () => {
      nslabOk(['impair', 'server:eth0', '--clear']);
      const oneWay = fastest('provider', '10.3.0.1');
      assert.ok(oneWay > 60 && oneWay < 150, `${oneWay} ms`);
      nslabOk(['impair', 'provider:sky', '--clear', '--both']);
      assert.ok(fastest('provider', '10.3.0.1') < 60);
    });
  },

  ring: async (lab, check) => {
    await check('packets go all the way round: there by r2, back by r4', () => {
      const route = recordedRoute(lab, 'r1', '-I', '10.0.0.1', '10.0.0.3');
      assert.deepEqual(route, ['10.0.0.1', '10.23.0.0', '10.0.0.3', '10.0.0.3', '10.41.0.0', '10.0.0.1']);
    });
    await check('a broken wire cuts r3 off from r1, and mending it brings it back', () => {
      execFileSync('ip', ['-n', 'r2', 'link', 'set', 'right', 'down']);
      assert.ok(isSilent(lab, 'r1', '-I', '10.0.0.1', '10.0.0.3'));
      execFileSync('ip', ['-n', 'r2', 'link', 'set', 'right', 'up']);
      execFileSync('ip', 'netns exec r2 ip route add 10.0.0.3/32 via 10.23.0.1'.split(' '));
      assert.ok(!isSilent(lab, 'r1', '-I', '10.0.0.1', '10.0.0.3'));
    });
  },

  ecmp: async (lab, check) => {
    const ways = () => [received('upper', 'west'), received('lower', 'west')] as const;
    await check('the flows between two hosts are spread over both ways', () => {
      const [upper, lower] = ways();
      sendFlows(lab, 'pc1', {
        address: '10.2.0.1',
        port: 9,
        from: Array.from({ length: 64 }, (_, i) => 20_000 + i),
      });
      const [upperNow, lowerNow] = ways();
      assert.ok(
        upperNow - upper > 8 && lowerNow - lower > 8,
        `upper ${upperNow - upper}, lower ${lowerNow - lower}`,
      );
    });
    await check('the packets of one flow all take the same way', () => {
      const decide = () =>
        ip('-n left route get 10.2.0.1 from 10.1.0.1 iif lan ipproto udp sport 4000 dport 9')[0]
          .dev as string;
      const first = decide();
      for (let i = 0; i < 5; i++) assert.equal(decide(), first);
    });
    await check('without the upper way, everything goes by the lower', () => {
      execFileSync('ip', ['-n', 'left', 'link', 'set', 'to-upper', 'down']);
      const [upper, lower] = ways();
      sendFlows(lab, 'pc1', {
        address: '10.2.0.1',
        port: 9,
        from: Array.from({ length: 32 }, (_, i) => 21_000 + i),
      });
      const [upperNow, lowerNow] = ways();
      assert.equal(upperNow - upper, 0);
      assert.ok(lowerNow - lower >= 32);
    });
  },

  'policy-routing': async (lab, check) => {
    await check('the staff leave by the first provider and the guests by the second', () => {
      assert.ok(recordedRoute(lab, 'staff', '10.9.0.1').includes('198.51.100.2'));
      assert.ok(recordedRoute(lab, 'guest', '10.9.0.1').includes('203.0.113.2'));
    });
    await check('the gateway decides by the source of the packet', () => {
      const way = (from: string, iif: string) =>
        ip(`-n gw route get 10.9.0.1 from ${from} iif ${iif}`)[0].dev;
      assert.equal(way('10.1.1.1', 'staff'), 'isp1');
      assert.equal(way('10.1.2.1', 'guests'), 'isp2');
    });
    await check(
      'a guest is told that the staff are off limits, and the staff reach the guests’ gateway',
      () => {
        // The kernel tells a sender only so often, and who goes on asking is told nothing (ip_error(), icmp_ratelimit).
        execFileSync('sleep', ['3']);
        assert.match(
          lab.exec('guest', 'ping', '-n', '-c', '1', '-W', '5', '10.1.1.1').stdout,
          /Packet filtered/,
        );
        assert.ok(isSilent(lab, 'staff', '10.1.2.1'));
      },
    );
    await check('the gateway itself takes the other provider when the first is gone', () => {
      execFileSync('ip', ['-n', 'gw', 'link', 'set', 'isp1', 'down']);
      assert.ok(!isSilent(lab, 'gw', '10.9.0.1'));
    });
  },

  'dual-stack': async (lab, check) => {
    await check('a name leads to an address of either family', () => {
      assert.match(lab.ok('pc1', 'ping', '-n', '-4', '-c', '1', '-W', '5', 'pc2'), /10\.2\.2\.1/);
      assert.match(lab.ok('pc1', 'ping', '-n', '-6', '-c', '1', '-W', '5', 'pc2'), /2001:db8:2::1/);
    });
    await check('IPv6 addresses are usable at once, without duplicate address detection', () => {
      const addresses = ip('-n pc1 -6 addr show dev eth0')[0].addr_info;
      const own = addresses.find((info: Json) => info.local === '2001:db8:1::1');
      assert.equal(own.nodad, true);
      assert.equal(own.tentative, undefined);
      assert.ok(addresses.some((info: Json) => info.scope === 'link'));
    });
    await check('both families go through the router', () => {
      assert.match(lab.ok('pc1', 'ping', '-n', '-c', '1', '-W', '5', '10.2.2.1'), /ttl=63/);
      assert.match(lab.ok('pc1', 'ping', '-n', '-c', '1', '-W', '5', '2001:db8:2::1'), /ttl=63/);
    });
  },

  vxlan: async (lab, check) => {
    await check('the containers are neighbours, though a router is between their machines', () => {
      assert.match(lab.ok('web1', 'ping', '-n', '-c', '1', '-W', '5', 'web2'), /ttl=64/);
      const neighbour = ip('-n web1 neigh show 10.42.0.2')[0];
      assert.equal(neighbour.lladdr, macOf('web2', 'eth0'));
    });
    await check('the tunnel floods to the other machine, and learns who is behind it', () => {
      const fdb = bridge('-n machine1 fdb show dev vx0');
      const to = (mac: string) =>
        fdb.filter((entry: Json) => entry.mac === mac).map((entry: Json) => entry.dst);
      assert.deepEqual(to('00:00:00:00:00:00'), ['198.51.100.129']);
      assert.ok(to(macOf('web2', 'eth0')).includes('198.51.100.129'), JSON.stringify(fdb));
    });
    await check('the tunnel leaves 1450 bytes of 1500', () => {
      assert.ok(!isSilent(lab, 'web1', '-M', 'do', '-s', String(1450 - 28), 'web2'));
      assert.match(lab.exec('web1', 'ping', '-c', '1', '-M', 'do', '-s', '1472', 'web2').stderr, /mtu=1450/);
    });
  },

  macvlan: async (lab, check) => {
    await check('each container has a MAC address of its own on the LAN', () => {
      lab.ok('pc', 'ping', '-c', '1', 'app1');
      lab.ok('pc', 'ping', '-c', '1', 'app2');
      lab.ok('pc', 'ping', '-c', '1', 'machine');
      const fdb = bridge('-n sw fdb show br br0').filter((entry: Json) => entry.state === '');
      const portOf = (mac: string) =>
        fdb.find((entry: Json) => entry.mac === mac)?.ifname as string | undefined;
      const macs = [macOf('machine', 'eth0'), macOf('app1', 'eth0'), macOf('app2', 'eth0')];
      assert.equal(new Set(macs).size, 3);
      assert.equal(new Set(macs.map(portOf)).size, 1, JSON.stringify(fdb));
    });
    await check('the device is a macvlan in bridge mode on the NIC of the machine', () => {
      const [link] = ip('-n app1 -d link show eth0');
      assert.equal(link.linkinfo.info_kind, 'macvlan');
      assert.equal(link.linkinfo.info_data.mode, 'bridge');
    });
    await check('neither the machine nor its containers hear each other', () => {
      assert.ok(isSilent(lab, 'app2', 'machine'));
    });
  },

  firewall: async (lab, check) => {
    await check('what is rejected is refused, what is dropped is never answered', () => {
      assert.equal(connect(lab, 'inside', { host: '198.51.100.1', port: 25 }).stdout, 'ECONNREFUSED');
      assert.equal(connect(lab, 'inside', { host: '198.51.100.1', port: 81, timeout: 1 }).stdout, 'TIMEOUT');
      assert.equal(connect(lab, 'outside', { host: '10.1.1.1', port: 80, timeout: 1 }).stdout, 'TIMEOUT');
    });
    await check('answers to what the inside began come back, by the rule for established connections', () => {
      const [web, answers] = [counted('fw', 'the web'), counted('fw', 'answers')];
      assert.equal(lab.ok('inside', 'curl', '-sS', '-m', '5', 'http://198.51.100.1/'), 'hello\n');
      assert.equal(counted('fw', 'the web') - web, 1, 'one packet opens the connection');
      assert.ok(counted('fw', 'answers') - answers > 2);
    });
    await check('the counters tell what was refused', () => {
      assert.ok(counted('fw', 'no mail from here') > 0);
      assert.ok(counted('fw', 'nobody comes in') > 0);
    });
  },

  physical: async (lab, check) => {
    await check('the card is in the node, under the name of the file, and not in the machine', () => {
      assert.equal(ip('link show').filter((link: Json) => link.ifname === NIC).length, 0);
      const [link] = ip('-n box -d addr show lan0');
      assert.equal(link.address, '02:00:5e:00:00:01');
      assert.deepEqual(
        link.addr_info.filter((info: Json) => info.family === 'inet').map((info: Json) => info.local),
        ['10.5.1.1'],
      );
      assert.ok(!isSilent(lab, 'pc', '10.5.1.1'));
    });
  },

  vlan: async (lab, check) => {
    await check('an access port has its VLAN untagged, a trunk all of them tagged, and nobody VLAN 1', () => {
      const vlans = Object.fromEntries(
        bridge('-n sw1 vlan show').map((port: Json) => [
          port.ifname,
          port.vlans.map((one: Json) => `${one.vlan}${one.flags?.includes('PVID') ? ' untagged' : ''}`),
        ]),
      );
      assert.deepEqual(vlans['p1'], ['10 untagged']);
      assert.deepEqual(vlans['p2'], ['20 untagged']);
      assert.deepEqual(
        vlans['trunk'].filter((one: string) => !one.startsWith('1 ')),
        ['10', '20'],
      );
    });
    await check('an address of the other department does not let one in', () => {
      execFileSync('ip', ['-n', 'tech2', 'addr', 'add', '10.1.10.66/24', 'dev', 'eth0']);
      assert.ok(isSilent(lab, 'tech2', '-I', '10.1.10.66', '10.1.10.1'));
    });
  },

  vrf: async (_lab, check) => {
    await check('the same address means another server to each customer', async () => {
      const at = { address: '10.0.9.1', port: 80 };
      for (const colour of ['red', 'blue']) {
        assert.equal(await seenBy({ netns: `${colour}server`, ...at }, `${colour}1`), '10.0.0.1');
      }
      // Nobody serves on the one of blue now.
      await using serving = new NetAgent({ name: 'redserver' });
      await using red = new NetAgent({ name: 'red1' });
      await using blue = new NetAgent({ name: 'blue1' });
      await serving.serve(at);
      assert.equal((await red.ask(at)).local, '10.0.9.1');
      assert.equal((await blue.ask(at)).error, 'ECONNREFUSED');
    });
    await check('each customer has a table of its own', () => {
      const table = (vrf: string) => ip(`-n router route show vrf ${vrf}`).map((route: Json) => route.dst);
      assert.ok(table('blue').includes('172.16.0.1'));
      assert.ok(!table('red').includes('172.16.0.1'));
    });
  },

  wireguard: async (lab, check) => {
    await check('the tunnel is one hop between the two routers', () => {
      assert.match(lab.ok('laptop', 'ping', '-n', '-c', '1', '-W', '5', 'server'), /ttl=62/);
    });
    await check('the internet carries UDP only, never an address of the two sites', () => {
      const before = received('internet', 'to-home');
      lab.ok('laptop', 'ping', '-n', '-c', '3', '-i', '0.2', '-W', '5', 'server');
      assert.ok(received('internet', 'to-home') - before >= 3);
      assert.ok(isSilent(lab, 'internet', '10.2.0.1'));
    });
    await check('the server sees the laptop’s own address', async () => {
      assert.equal(await seenBy({ netns: 'server', address: '10.1.0.1', port: 80 }, 'laptop'), '10.2.0.1');
    });
  },

  gre: async (lab, check) => {
    await check('the tunnel is one hop, whatever lies under it', () => {
      assert.match(lab.ok('pc1', 'ping', '-n', '-c', '1', '-W', '5', 'pc2'), /ttl=62/);
    });
    await check('the outer header takes 24 bytes', () => {
      assert.equal(ip('-n r1 link show tun0')[0].mtu, 1476);
      assert.match(
        lab.exec('pc1', 'ping', '-c', '1', '-W', '5', '-M', 'do', '-s', '1472', 'pc2').stdout,
        /mtu = 1476/,
      );
    });
  },

  bond: async (lab, check) => {
    const active = () => ip('-n server -d link show bond0')[0].linkinfo.info_data.active_slave as string;
    await check('one wire is in use, and the other takes over when it breaks', async () => {
      assert.equal(active(), 'eth0');
      execFileSync('ip', ['-n', 'server', 'link', 'set', 'eth0', 'down']);
      // The bond looks at its wires every miimon, 100 ms.
      const deadline = Date.now() + patience(2000);
      while (active() !== 'eth1' && Date.now() < deadline) await wait(20);
      assert.equal(active(), 'eth1');
      assert.ok(!isSilent(lab, 'pc', 'server'));
    });
  },

  ipvlan: async (_lab, check) => {
    await check('all containers have the MAC address of the NIC', () => {
      assert.equal(macOf('app1', 'eth0'), macOf('machine', 'eth0'));
      assert.equal(macOf('app2', 'eth0'), macOf('machine', 'eth0'));
      assert.equal(ip('-n app1 -d link show eth0')[0].linkinfo.info_data.mode, 'l2');
    });
  },
};
