// Routes, rules and neighbours as text: test of src/topology/route-text.ts and of lower-routes.ts and lower-rules.ts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Route, Rule } from '../../../src/model/route.ts';
import { parseNeighbourText, parseRouteText, parseRuleText } from '../../../src/topology/route-text.ts';
import { checkYaml, labOf, nodeOf } from '../../support/check-yaml.ts';

function nodeWith(rest: string): string {
  return `
nodes: { a: { interfaces: { eth0: { addresses: [10.0.0.1/24, "fd00::1/64"] }, six: { addresses: ["fd00:6::1/64"] } }, ${rest} }, b: {} }
links: [ { endpoints: [ "a:eth0", "b:eth0" ] }, { endpoints: [ "a:six", "b:six" ] } ]`;
}

function routes(text: string): Omit<Route, 'path'>[] {
  return nodeOf(labOf(nodeWith(`routes: [ ${text} ]`)), 'a').routes.map(({ path, ...route }) => route);
}

function rules(text: string): Omit<Rule, 'path'>[] {
  return nodeOf(labOf(nodeWith(`rules: [ ${text} ]`)), 'a').rules.map(({ path, ...rule }) => rule);
}

function errors(rest: string): string[] {
  return checkYaml(nodeWith(rest))
    .problems.filter(({ severity }) => severity !== 'warning')
    .map(({ code, message }) => `${code} ${message}`);
}

describe('a route as text', () => {
  it('is the same as the object', () => {
    const pairs: [string, string][] = [
      ['"default via 10.0.0.2"', '{ to: default, via: 10.0.0.2 }'],
      [
        '"10.9.0.0/16 via 10.0.0.2 dev eth0 src 10.0.0.1 metric 5 table 100 mtu 1400 onlink"',
        '{ dst: 10.9.0.0/16, via: 10.0.0.2, dev: eth0, src: 10.0.0.1, metric: 5, table: 100, mtu: 1400, onlink: true }',
      ],
      ['"blackhole 10.9.0.0/16"', '{ type: blackhole, to: 10.9.0.0/16 }'],
      [
        '"unicast 10.9.0.0/16 dev eth0 scope link proto static"',
        '{ to: 10.9.0.0/16, dev: eth0, scope: link, protocol: 4 }',
      ],
      [
        '"10.9.0.0/16 nexthop via 10.0.0.2 weight 2 nexthop via 10.0.0.3 dev eth0 onlink"',
        '{ to: 10.9.0.0/16, nexthops: [ { via: 10.0.0.2, weight: 2 }, { via: 10.0.0.3, dev: eth0, onlink: true } ] }',
      ],
      ['"ip route add default via 10.0.0.2"', '{ to: default, via: 10.0.0.2 }'],
      ['"to 10.9.0.7 via 10.0.0.2"', '{ to: 10.9.0.7/32, via: 10.0.0.2 }'],
    ];
    for (const [text, object] of pairs) assert.deepEqual(routes(text), routes(object), text);
  });

  it('default takes the family of its gateway, its source, its interface or its -6, and IPv4 otherwise', () => {
    const families = (text: string) => routes(text).map(({ family, to }) => [family, to]);
    assert.deepEqual(families('"default via fd00::2"'), [[6, '::/0']]);
    assert.deepEqual(families('"default dev eth0 src fd00::1"'), [[6, '::/0']]);
    assert.deepEqual(families('"default dev six"'), [[6, '::/0']]);
    assert.deepEqual(families('"default dev eth0"'), [[4, '0.0.0.0/0']]);
    assert.deepEqual(families('"-6 unreachable default"'), [[6, '::/0']]);
    assert.deepEqual(families('{ to: default, type: unreachable, family: inet6 }'), [[6, '::/0']]);
    assert.deepEqual(families('{ to: default, nexthops: [ { via: "fd00::2" }, { via: "fd00::3" } ] }'), [
      [6, '::/0'],
    ]);
  });

  it('may lead IPv4 through an IPv6 gateway', () => {
    assert.deepEqual(routes('"10.9.0.0/16 via inet6 fd00::2 dev eth0"'), [
      { type: 'unicast', family: 4, to: '10.9.0.0/16', via: 'fd00::2', dev: 'eth0' },
    ]);
    assert.deepEqual(errors('routes: [ "fd09::/64 via 10.0.0.2" ]'), [
      'ROUTE_FAMILY the destination is IPv6 and the gateway 10.0.0.2 is IPv4',
    ]);
  });

  it('takes the names of tables that every machine has', () => {
    assert.deepEqual(routes('"10.9.0.0/16 dev eth0 table main"')[0]?.table, 254);
    assert.deepEqual(errors('routes: [ "10.9.0.0/16 dev eth0 table isp" ]'), [
      'ROUTE_INVALID "isp" is not a routing table',
    ]);
  });

  it('says which word is wrong, and which it could have been', () => {
    const problem = (text: string) => {
      const result = parseRouteText(text);
      assert.ok(!result.ok, text);
      return `${result.error.message}${result.error.hint === undefined ? '' : ` | ${result.error.hint}`}`;
    };
    assert.equal(
      problem('default vai 10.0.0.2'),
      '"vai" is not a word of iproute2 here | did you mean "via"?',
    );
    assert.equal(problem('default via'), '"via" is the last word, and a value must follow it');
    assert.equal(problem('default via 10.0.0.2 metric low'), '"low" after "metric" is not a number');
    assert.equal(problem('default via 10.0.0.2 advmss 1400'), 'nslab cannot set "advmss" | leave it out');
    assert.equal(
      problem('via 10.0.0.2'),
      'the destination is missing | begin with a subnet or with "default"',
    );
    assert.match(problem('default nexthop weight 2'), /needs "via" or "dev"/);
    assert.match(problem('multicast 224.0.0.0/4 dev eth0'), /cannot add a route of type/);
    assert.match(problem('default deflt via 10.0.0.2'), /"deflt"/);
  });

  it('needs a way, unless it leads nowhere', () => {
    assert.deepEqual(errors('routes: [ "10.9.0.0/16" ]'), [
      'ROUTE_INVALID the route says where to, and not which way',
    ]);
    assert.deepEqual(errors('routes: [ "blackhole 10.9.0.0/16 via 10.0.0.2" ]').length, 1);
    assert.deepEqual(errors('routes: [ { via: 10.0.0.2 } ]'), ['MISSING_KEY the route has no destination']);
    assert.deepEqual(errors('routes: [ { to: default, nexthops: [] } ]').length, 1);
    assert.deepEqual(
      errors('routes: [ { to: default, via: 10.0.0.2, nexthops: [ { via: 10.0.0.3 } ] } ]').length,
      1,
    );
    assert.deepEqual(errors('routes: [ { to: default, nexthops: [ { weight: 2 } ] } ]'), [
      'ROUTE_INVALID a nexthop needs `via` or `dev`',
    ]);
  });

  it('refuses host bits, as the kernel does, and names the subnet', () => {
    assert.match(
      errors('routes: [ "10.9.0.1/16 via 10.0.0.2" ]')[0] ?? '',
      /^SUBNET_INVALID .*10\.9\.0\.0\/16/,
    );
  });

  it('never throws, whatever the text', () => {
    const word = fc.constantFrom(
      'default',
      'via',
      'dev',
      'nexthop',
      'weight',
      'from',
      'not',
      '10.0.0.1',
      '::',
      'table',
      '-6',
      'ip',
      'route',
      'add',
      'proxy',
      'constructor',
      'lladdr',
      '5',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string()), { maxLength: 8 }), (words) => {
        for (const parse of [parseRouteText, parseRuleText, parseNeighbourText]) parse(words.join(' '));
      }),
    );
  });
});

describe('a rule', () => {
  it('as text is the same as the object', () => {
    const pairs: [string, string][] = [
      ['"from 10.0.0.0/24 to 10.1.0.0/16 table 100"', '{ from: 10.0.0.0/24, to: 10.1.0.0/16, lookup: 100 }'],
      [
        '"not from 10.0.0.7 iif eth0 fwmark 0x10/0xff lookup main pref 5"',
        '{ not: true, from: 10.0.0.7/32, iif: eth0, fwmark: 16/255, table: 254, priority: 5 }',
      ],
      [
        '"ipproto tcp dport 80-90 sport 5 blackhole"',
        '{ ipproto: tcp, dport: "80-90", sport: 5, type: blackhole }',
      ],
      ['"from all lookup 7 suppress_prefixlength 0"', '{ table: 7, suppress_prefixlength: 0 }'],
    ];
    for (const [text, object] of pairs) assert.deepEqual(rules(text), rules(object), text);
  });

  it('without a priority gets the one that the kernel would give it', () => {
    // Compared with `ip rule add` of these six in an empty namespace of Linux 6.18.
    const text =
      '"from 10.1.1.0/24 table 100", "fwmark 0x10/0xff table main", "not to 10.2.0.0/16 lookup 100 priority 50", "to 10.3.0.0/16 blackhole", "-6 from all lookup main", "to fd09::/64 table 9"';
    assert.deepEqual(
      rules(text).map(({ priority }) => priority),
      [32765, 32764, 50, 49, 32765, 32764],
    );
  });

  it('counts from the rule of vrf devices where the node has one', () => {
    const lab = labOf(
      'nodes: { a: { interfaces: { v: { type: vrf, table: 9 } }, rules: [ "from 10.0.0.0/8 table 9" ] } }',
    );
    assert.equal(nodeOf(lab, 'a').rules[0]?.priority, 999);
  });

  it('that is not one is refused', () => {
    assert.deepEqual(errors('rules: [ "from 10.0.0.0/8" ]'), [
      'RULE_INVALID the rule does not say which table to look in',
    ]);
    assert.deepEqual(errors('rules: [ "from 10.0.0.0/8 tabel 5" ]'), [
      'RULE_INVALID "tabel" is not a word of iproute2 here',
    ]);
    assert.deepEqual(errors('rules: [ "from 10.0.0.0/8 to fd00::/64 table 5" ]'), [
      'RULE_INVALID `from` and `to` are of different families',
    ]);
    assert.deepEqual(errors('rules: [ { fwmark: red, table: 5 } ]'), ['RULE_INVALID "red" is not a mark']);
    assert.deepEqual(errors('rules: [ { ipproto: tpc, table: 5 } ]'), [
      'RULE_INVALID "tpc" is not an IP protocol',
    ]);
    assert.deepEqual(errors('rules: [ "prohibit table 5" ]'), [
      'RULE_INVALID a rule of type prohibit looks into no table',
    ]);
    assert.deepEqual(errors('rules: [ "from 10.0.0.0/8 goto 5" ]'), ['RULE_INVALID nslab cannot set "goto"']);
    assert.deepEqual(errors('rules: [ "" ]'), ['RULE_INVALID the rule is empty']);
  });
});

describe('a neighbour', () => {
  it('is text or an object, with a MAC address or as a proxy', () => {
    const neighbours = (text: string) =>
      nodeOf(labOf(nodeWith(`neighbours: [ ${text} ]`)), 'a').neighbours.map(({ path, ...one }) => one);
    const entry = [{ ip: '10.0.0.9', dev: 'eth0', lladdr: '02:00:00:00:00:09' }];
    assert.deepEqual(neighbours('"10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0"'), entry);
    assert.deepEqual(neighbours('{ to: 10.0.0.9, lladdr: 02:00:00:00:00:09, dev: eth0 }'), entry);
    assert.deepEqual(neighbours('"proxy 10.0.0.9 dev eth0"'), [{ ip: '10.0.0.9', dev: 'eth0', proxy: true }]);
    assert.deepEqual(errors('neighbours: [ "10.0.0.9 dev eth0" ]'), [
      'MISSING_KEY the neighbour has no `lladdr`',
    ]);
    assert.deepEqual(errors('neighbours: [ "10.0.0.9 lladdr 02:00:00:00:00:09" ]'), [
      'VALUE_INVALID the interface is missing',
    ]);
  });
});
