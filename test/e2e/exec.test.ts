// `nslab exec` from the command line, over labs that were pinned by hand: what reaches the command, what comes back, and the
// words of every refusal. All of it runs twice, with the helper that is shipped and with one built with ASan and UBSan.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { builtNslab, type PinnedLab, pinnedLab, sanitizedNslab, uniqueName } from '../support/pinned-lab.ts';
import { skipUnlessRoot } from '../support/skip.ts';
import { openTty } from '../support/tty.ts';

type Run = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

// The commands' memory is their own affair, and a process that becomes another one frees nothing before.
const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' };

const lanes = [
  { name: 'the shipped helper', program: builtNslab },
  { name: 'the sanitized helper', program: sanitizedNslab },
];

for (const lane of lanes) {
  describe(`exec with ${lane.name}`, () => {
    let lab: PinnedLab;
    let nslab = '';

    before(() => {
      if (process.geteuid?.() !== 0) return;
      nslab = lane.program();
      lab = pinnedLab(['pc1', 'pc2', 'router']);
      lab.ip('pc1', 'link', 'add', 'br-mark', 'type', 'bridge');
    });
    after(() => lab?.down());

    const run = (args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Run =>
      spawnSync(nslab, args, { encoding: 'utf8', env, ...options });
    const exec = (...args: string[]): Run => run(['exec', '--lab', lab.lab, ...args]);
    const laneTest = (title: string, body: (t: TestContext) => void | Promise<void>): void => {
      test(title, async (t) => {
        if (!skipUnlessRoot(t, 'e2e')) await body(t);
      });
    };

    laneTest('stdin, stdout and stderr pass every byte', () => {
      const bytes = randomBytes(1 << 20);
      for (const [stream, script] of [
        ['stdout', 'cat'],
        ['stderr', 'cat >&2'],
      ] as const) {
        const words = ['exec', '--lab', lab.lab, 'pc1', 'sh', '-c', script];
        const result = spawnSync(nslab, words, { input: bytes, maxBuffer: 1 << 22, env });
        assert.equal(result.status, 0);
        assert.ok(result[stream].equals(bytes), `${stream} differs`);
      }
    });

    laneTest('the exit status is the command’s own', () => {
      for (const status of [0, 1, 7, 125, 255]) {
        assert.equal(exec('pc1', 'sh', '-c', `exit ${status}`).status, status);
      }
    });

    laneTest('a command that is not found is 127, one that cannot be run is 126', () => {
      const missing = exec('pc1', 'no-such-command');
      assert.equal(missing.status, 127);
      assert.match(
        missing.stderr,
        /^error\[EXEC_FAILED\] cannot run "no-such-command": command not found\n$/,
      );
      const plain = exec('pc1', '/etc/passwd');
      assert.equal(plain.status, 126);
      assert.match(plain.stderr, /^error\[EXEC_FAILED\] cannot run "\/etc\/passwd": Permission denied\n$/);
      assert.equal(exec('pc1', '/').status, 126);
    });

    laneTest('a script whose interpreter is missing is 127 and the hint says so', () => {
      const folder = mkdtempSync(join(tmpdir(), 'nslab-exec-'));
      const script = join(folder, 'script');
      writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 });
      const result = exec('pc1', script);
      rmSync(folder, { recursive: true });
      assert.equal(result.status, 127);
      assert.match(result.stderr, /hint: the file is there, so it is its interpreter/);
    });

    laneTest('a signal that kills the command kills exec, which a shell shows as 128+n', () => {
      for (const [signal, number] of [
        ['KILL', 9],
        ['TERM', 15],
        ['SEGV', 11],
      ] as const) {
        const words = ['exec', '--lab', lab.lab, 'pc1', 'sh', '-c', `kill -${signal} $$`];
        assert.equal(spawnSync(nslab, words, { env }).signal, `SIG${signal}`);
        const shell = spawnSync('sh', ['-c', '"$@"; exit $?', 'sh', nslab, ...words], { env });
        assert.equal(shell.status, 128 + number);
      }
    });

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const) {
      laneTest(`${signal} sent to exec reaches the command, which is the same process`, async () => {
        const script = `sleep 60 & p=$!; trap "kill $p; exit 42" ${signal.slice(3)}; echo $$; wait`;
        const child = spawn(nslab, ['exec', '--lab', lab.lab, 'pc1', 'sh', '-c', script], { env });
        const [first] = await once(child.stdout, 'data');
        assert.equal(Number(String(first)), child.pid);
        child.kill(signal);
        const [status] = await once(child, 'close');
        assert.equal(status, 42);
      });
    }

    laneTest('descriptors above 2 are passed on, and exec adds none of its own', () => {
      // The trailing command keeps the shell a process of its own, so that its descriptors are not those of ls.
      const list = ['sh', '-c', 'ls /proc/$$/fd; exit 0'];
      const script = 'exec 7</dev/null; exec "$@"';
      const words = [nslab, 'exec', '--lab', lab.lab, 'pc1', ...list];
      const inside = spawnSync('sh', ['-c', script, 'sh', ...words], { env, encoding: 'utf8' });
      const outside = spawnSync('sh', ['-c', script, 'sh', ...list], { env, encoding: 'utf8' });
      assert.equal(inside.stdout, outside.stdout);
      assert.match(inside.stdout, /^7$/m);
    });

    laneTest('the command is in the namespace of the node, and /sys shows its links', () => {
      const addresses = exec('pc1', 'ip', '-o', 'link').stdout;
      assert.match(addresses, /br-mark/);
      assert.doesNotMatch(addresses, /eth0/);
      assert.deepEqual(exec('pc1', 'ls', '/sys/class/net').stdout.split('\n').filter(Boolean).sort(), [
        'br-mark',
        'lo',
      ]);
      assert.deepEqual(exec('pc2', 'ls', '/sys/class/net').stdout, 'lo\n');
    });

    laneTest('what the host has mounted below /sys is still there', () => {
      const script = "awk '$5 ~ /^\\/sys\\// {print $5}' /proc/self/mountinfo | sort -u";
      const here = spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout;
      assert.equal(exec('pc1', 'sh', '-c', script).stdout, here);
    });

    laneTest('options of the command are left to the command', () => {
      const echo = ['sh', '-c', 'printf "[%s]" "$@"', 'x'];
      assert.equal(
        exec('pc1', ...echo, '-w', '/', '--lab', '-e', '--help').stdout,
        '[-w][/][--lab][-e][--help]',
      );
      assert.equal(exec('pc1', '--', ...echo, 'a').stdout, '[a]');
      assert.equal(exec('pc1', '--', 'printf', '[%s]', '--', 'b').stdout, '[--][b]');
      assert.equal(exec('pc1', ...echo, '--', 'b').stdout, '[--][b]');
      assert.equal(exec('--', 'pc1', ...echo, '', ' ', '*', "'").stdout, "[][ ][*][']");
    });

    laneTest('a second -- after the node is a command of that name', () => {
      const result = exec('pc1', '--', '--', 'true');
      assert.equal(result.status, 127);
      assert.match(result.stderr, /cannot run "--"/);
    });

    laneTest('-w changes the directory in all its forms, and without it the directory stays', () => {
      for (const words of [['-w', '/usr'], ['-w/usr'], ['--workdir', '/usr'], ['--workdir=/usr']]) {
        assert.equal(exec(...words, 'pc1', 'pwd').stdout, '/usr\n');
      }
      assert.equal(run(['exec', '--lab', lab.lab, 'pc1', 'pwd'], { cwd: '/usr/bin' }).stdout, '/usr/bin\n');
      assert.equal(
        run(['exec', '--lab', lab.lab, '-w', 'bin', 'pc1', 'pwd'], { cwd: '/usr' }).stdout,
        '/usr/bin\n',
      );
      const missing = exec('-w', '/no/such/dir', 'pc1', 'true');
      assert.equal(missing.status, 2);
      assert.match(
        missing.stderr,
        /^error\[USAGE\] cannot enter the directory "\/no\/such\/dir": No such file/,
      );
    });

    laneTest('a working directory that no template shows is kept all the same', () => {
      const inSys = run(['exec', '--lab', lab.lab, 'pc1', 'sh', '-c', 'ls -d power'], { cwd: '/sys' });
      assert.equal(inSys.stdout, 'power\n', inSys.stderr);
      const script = `d=$(mktemp -d); cd "$d"; rmdir "$d"; "$@"`;
      const deleted = spawnSync(
        'sh',
        ['-c', script, 'sh', nslab, 'exec', '--lab', lab.lab, 'pc1', 'echo', 'ok'],
        {
          env,
          encoding: 'utf8',
        },
      );
      assert.equal(deleted.stdout, 'ok\n', deleted.stderr);
    });

    laneTest('-e adds to the environment, later ones win, and the node and its lab are there', () => {
      const words = ['-e', 'A=1', '-eB=x=y', '--env', 'C=', '--env=A=2'];
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell expands it
      const script = 'echo "$A|$B|${C-unset}|$KEPT|$NSLAB_NODE|$NSLAB_LAB"';
      const result = run(['exec', '--lab', lab.lab, ...words, 'pc1', 'sh', '-c', script], {
        env: { ...env, KEPT: 'kept' },
      });
      assert.equal(result.stdout, `2|x=y||kept|pc1|${lab.lab}\n`);
      for (const bad of ['=1', '']) assert.equal(exec('-e', bad, 'pc1', 'true').status, 2);
      // A name alone is the caller's own variable, and nothing where there is none, as with Docker.
      assert.equal(exec('-e', 'NO_SUCH_VARIABLE', 'pc1', 'true').status, 0);
    });

    laneTest('the command is looked for in the PATH that -e gives', () => {
      const result = exec('-e', 'PATH=/no/such/folder', 'pc1', 'true');
      assert.equal(result.status, 127);
    });

    laneTest('-u takes a name or a number, with or without a group, and sets HOME, USER and LOGNAME', () => {
      lab.etc('pc2', {
        passwd: 'root:x:0:0::/root:/bin/sh\nalice:x:4001:4002:A:/tmp:/bin/sh\n',
        group: 'root:x:0:\nalice:x:4002:\nlab:x:4003:bob,alice\nnet:x:4004:alice\nother:x:4005:bob\n',
      });
      const who = 'echo $(id -u) $(id -g) $(id -G) $HOME $USER $LOGNAME';
      const as = (user: string): string => exec('-u', user, 'pc2', 'sh', '-c', who).stdout;
      assert.equal(as('alice'), '4001 4002 4002 4003 4004 /tmp alice alice\n');
      assert.equal(as('4001'), '4001 4002 4002 4003 4004 /tmp alice alice\n');
      assert.equal(as('alice:other'), '4001 4005 4005 /tmp alice alice\n');
      assert.equal(as('alice:77'), '4001 77 77 /tmp alice alice\n');
      assert.equal(as('77:88'), '77 88 88 / 77 77\n');
      assert.equal(exec('--user=root', 'pc2', 'id', '-u').stdout, '0\n');
      const status = exec(
        '-u',
        'alice',
        'pc2',
        'grep',
        '-E',
        '^Cap(Prm|Eff|Amb)',
        '/proc/self/status',
      ).stdout;
      assert.match(status, /^(Cap...:\t0+\n){3}$/);
    });

    laneTest('-u refuses what is not wholly a name or a number of /etc/passwd', () => {
      for (const user of [
        '0x10',
        '1:',
        ':1',
        '-1',
        '4294967295',
        '4294967296',
        '99999999999999999999',
        '+0',
        ' 0',
      ]) {
        const result = exec('-u', user, 'pc1', 'id');
        assert.equal(result.status, 2, `${user}: ${result.stdout}${result.stderr}`);
        assert.match(result.stderr, /^error\[USAGE\] /);
        assert.equal(result.stdout, '');
      }
      assert.match(exec('-u', 'nosuch', 'pc1', 'id').stderr, /there is no user "nosuch"/);
      assert.match(exec('-u', 'root:nosuch', 'pc1', 'id').stderr, /there is no group "nosuch"/);
      assert.match(exec('-u', '54321', 'pc1', 'id').stderr, /hint: say the group too/);
    });

    laneTest('-w is entered as the user of -u', () => {
      const result = exec('-u', 'nobody', '-w', '/root', 'pc1', 'true');
      if (spawnSync('setpriv', ['--reuid=65534', '--clear-groups', 'ls', '/root']).status === 0) return;
      assert.equal(result.status, 2);
      assert.match(result.stderr, /cannot enter the directory "\/root": Permission denied/);
    });

    laneTest('a usage error is 2 and shows the form', () => {
      const cases: [string[], RegExp][] = [
        [['exec'], /the node is missing/],
        [['exec', 'pc1'], /the command is missing/],
        [['exec', 'pc1', '--'], /the command is missing/],
        [['exec', '-w'], /"-w" wants a value/],
        [['exec', '--nosuch', 'pc1', 'true'], /unknown option "--nosuch"/],
        [['exec', '--work=/', 'pc1', 'true'], /unknown option "--work=\/"/],
        [['exec', '-l', 'x', 'pc1', 'true'], /unknown option "-l"/],
        [['exec', '--lab=', 'pc1', 'true'], /--lab is empty/],
      ];
      for (const [words, message] of cases) {
        const result = run(words);
        assert.equal(result.status, 2, words.join(' '));
        assert.match(result.stderr, message);
        assert.match(
          result.stderr,
          /^error\[USAGE\] .*\n {2}hint: usage: nslab exec .*NODE \[--\] COMMAND.*\n$/,
        );
      }
    });

    laneTest(
      'a name that could leave the folder of labs, or be an option, is refused before any file is touched',
      () => {
        for (const name of [
          '../x',
          '..',
          '.',
          '',
          'a/b',
          '/etc',
          'a b',
          'x\n',
          '\x1b[31m',
          'é',
          '-',
          'a\\b',
          '*',
        ]) {
          const node = run(['exec', '--', name, 'true']);
          assert.equal(node.status, 2, JSON.stringify(name));
          assert.match(node.stderr, /^error\[USAGE\] .*is not the name of a node\n/);
          assert.ok(!node.stderr.includes('\x1b'));
          if (name !== '') assert.equal(run(['exec', `--lab=${name}`, 'pc1', 'true']).status, 2);
        }
        assert.equal(run(['exec', '-x', 'true']).status, 2);
        assert.equal(run(['exec', 'n'.repeat(5000), 'true']).status, 7);
      },
    );

    laneTest('an unknown node is 7, with what there is and the one that was meant', () => {
      const result = exec('pc11', 'true');
      assert.equal(result.status, 7);
      assert.match(
        result.stderr,
        /^error\[NODE_UNKNOWN\] no node "pc11" is up\n {2}hint: did you mean "pc1"\? /,
      );
      assert.match(result.stderr, new RegExp(`lab ${lab.lab} has pc1, pc2, router\n`));
      assert.match(exec('roter', 'true').stderr, /did you mean "router"\?/);
      assert.doesNotMatch(exec('switch', 'true').stderr, /did you mean/);
      assert.equal(exec('prefix', 'true').status, 7);
      assert.equal(run(['exec', uniqueName(), 'true']).status, 7);
    });

    laneTest('a long list of nodes is cut', () => {
      using many = pinnedLab(Array.from({ length: 12 }, (_, i) => `n${i + 1}`));
      const result = run(['exec', '--lab', many.lab, 'zz', 'true']);
      assert.match(result.stderr, /has n1, n2, n3, n4, n5, n6, n7, n8 and 4 more\n/);
    });

    laneTest('an unknown lab is 7, with the one that was meant', () => {
      const result = run(['exec', '--lab', `${lab.lab}y`, 'pc1', 'true']);
      assert.equal(result.status, 7);
      assert.match(result.stderr, /^error\[LAB_UNKNOWN\] no lab ".*" is up\n/);
      assert.match(result.stderr, new RegExp(`did you mean "${lab.lab}"`));
    });

    laneTest('a node that two labs have is 7, and both are listed with the words to type', () => {
      const prefix = `${uniqueName()}-`;
      using other = pinnedLab(['router', 'pc9'], prefix);
      const unique = `q${uniqueName()}`;
      using one = pinnedLab([unique]);
      using two = pinnedLab([unique], `${uniqueName()}-`);
      const result = run(['exec', unique, 'true']);
      assert.equal(result.status, 7);
      assert.match(result.stderr, /^error\[LAB_AMBIGUOUS\] 2 labs have a node /);
      for (const each of [one, two]) {
        assert.ok(result.stderr.includes(`nslab exec --lab ${each.lab} ${unique}`), result.stderr);
        assert.equal(run(['exec', '--lab', each.lab, unique, 'true']).status, 0);
      }
      // The full name of a namespace is known to one lab only.
      const show = ['sh', '-c', 'echo $NSLAB_NODE $NSLAB_LAB'];
      assert.equal(run(['exec', two.netns(unique), ...show]).stdout, `${unique} ${two.lab}\n`);
      assert.equal(run(['exec', '--lab', other.lab, 'router', ...show]).stdout, `router ${other.lab}\n`);
      assert.equal(run(['exec', `${prefix}pc9`, ...show]).stdout, `pc9 ${other.lab}\n`);
    });

    laneTest('a node whose namespace was deleted by hand says so', () => {
      using broken = pinnedLab(['gone', 'here']);
      spawnSync('umount', [broken.pin('gone')]);
      const result = run(['exec', '--lab', broken.lab, 'gone', 'true']);
      assert.equal(result.status, 7);
      assert.match(
        result.stderr,
        /^error\[NODE_UNKNOWN\] the network namespace of node "gone" is gone\n {2}hint: /,
      );
      assert.equal(run(['exec', '--lab', broken.lab, 'here', 'true']).status, 0);
    });

    laneTest('a record that cannot be right is STATE_BROKEN, not followed', () => {
      using broken = pinnedLab(['pc1'], 'p-');
      for (const prefix of ['../../', 'x'.repeat(300), '\x1b[2J']) {
        writeFileSync(join('/run/nslab/labs', broken.lab, 'prefix'), prefix);
        const result = run(['exec', '--lab', broken.lab, 'pc1', 'true']);
        assert.equal(result.status, 7);
        assert.match(result.stderr, /^error\[STATE_BROKEN\] /);
        assert.ok(!result.stderr.includes('\x1b'));
      }
    });

    laneTest('without root it is one clear line and 4', () => {
      const drop = ['--reuid=65534', '--regid=65534', '--clear-groups', nslab];
      const result = spawnSync('setpriv', [...drop, 'exec', 'pc1', 'true'], { encoding: 'utf8', env });
      assert.equal(result.status, 4, result.stderr);
      assert.match(result.stderr, /^error\[HOST_NOT_ROOT\] [^\n]*sudo\n$/);
    });

    laneTest('the files of /etc/netns/NODE are in /etc, there only', () => {
      lab.etc('router', { hosts: '192.0.2.1 marker\n', 'no-such-file-in-etc': '' });
      const result = exec('router', 'cat', '/etc/hosts');
      assert.equal(result.stdout, '192.0.2.1 marker\n');
      assert.match(result.stderr, /^warning: .*no-such-file-in-etc is not shown.*\n$/);
      assert.doesNotMatch(exec('pc1', 'cat', '/etc/hosts').stdout, /marker/);
      assert.notEqual(spawnSync('grep', ['-q', 'marker', '/etc/hosts']).status, 0);
    });

    laneTest('host runs the command in the machine’s own network namespace, from inside a node too', () => {
      const link = ['readlink', '/proc/self/ns/net'];
      const own = spawnSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).stdout;
      assert.equal(run(['exec', 'host', ...link]).stdout, own);
      assert.equal(exec('host', ...link).stdout, own);
      assert.notEqual(exec('pc1', ...link).stdout, own);
      assert.equal(exec('pc1', nslab, 'exec', 'host', ...link).stdout, own);
      const sys = exec('pc1', nslab, 'exec', 'host', 'ls', '/sys/class/net').stdout;
      assert.equal(sys, spawnSync('ls', ['/sys/class/net'], { encoding: 'utf8' }).stdout);
      assert.equal(
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell expands it
        run(['exec', 'host', 'sh', '-c', 'echo $NSLAB_NODE ${NSLAB_LAB-none}']).stdout,
        'host none\n',
      );
      assert.equal(run(['exec', '--lab', uniqueName(), 'host', 'true']).status, 7);
    });

    laneTest('a node is reached from inside another node', () => {
      const result = exec('pc2', nslab, 'exec', '--lab', lab.lab, 'pc1', 'ls', '/sys/class/net');
      assert.equal(result.stdout, 'br-mark\nlo\n', result.stderr);
    });

    laneTest('on a terminal the command has the terminal, its size and job control', async () => {
      const words = [nslab, 'exec', '--lab', lab.lab, 'pc1'];
      const tty = openTty([...words, 'bash', '--norc', '-i'], {
        rows: 33,
        columns: 101,
        env: { ...env, PS1: '$ ' },
      });
      tty.type('test -t 0 -a -t 1 -a -t 2 && stty size && echo is-a-tty\r');
      await tty.shown(/33 101\r\nis-a-tty\r\n/);
      tty.type('sleep 1000 &\r');
      await tty.shown(/\[1\] [0-9]+\r\n/);
      tty.type('fg\r');
      await tty.shown(/sleep 1000\r\n/);
      // bash says what it resumes before it hands the terminal over, so the first one may come too early.
      tty.type('\x1a');
      const again = setInterval(() => tty.type('\x1a'), 500);
      await tty.shown(/Stopped/).finally(() => clearInterval(again));
      tty.type('bg\r');
      await tty.shown(/sleep 1000 &\r\n/);
      tty.type('kill %1; wait; exit 44\r');
      assert.equal(await tty.ended, 44);
    });

    laneTest('Ctrl-C on the terminal interrupts the command', async () => {
      const script = 'sleep 1000 & p=$!; trap "kill $p; exit 55" INT; echo ready; wait';
      const tty = openTty([nslab, 'exec', '--lab', lab.lab, 'pc1', 'sh', '-c', script], { env });
      await tty.shown(/ready/);
      tty.type('\x03');
      assert.equal(await tty.ended, 55);
    });
  });
}

describe('bin/nslab', () => {
  const root = join(import.meta.dirname, '../..');
  const helper = join(root, 'dist/nslab-helper');
  // In the place of Node: says how it was called.
  const node = '#!/bin/sh\nfor a in "$@"; do printf "[%s]" "$a"; done\n';

  /** A tree like the checkout's with a Node that only prints its arguments; `dist` is what else the test puts there. */
  function fakeTree(dist: Readonly<Record<string, string>> = { 'nslab.js': '' }) {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nslab-bin-')));
    for (const name of ['bin', 'dist', 'path']) mkdirSync(join(folder, name));
    cpSync(join(root, 'bin/nslab'), join(folder, 'bin/nslab'), {
      verbatimSymlinks: true,
    });
    cpSync(helper, join(folder, 'dist/nslab-helper'));
    writeFileSync(join(folder, 'path/node'), node, { mode: 0o755 });
    for (const [name, text] of Object.entries(dist)) writeFileSync(join(folder, 'dist', name), text);
    const path = join(folder, 'path');
    return {
      nslab: join(folder, 'bin/nslab'),
      script: join(folder, 'dist/nslab.js'),
      blob: join(folder, 'dist/nslab.blob'),
      folder,
      env: { PATH: `${path}:/usr/bin:/bin` },
      [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
    };
  }
  const call = (program: string, args: string[], options: object): Run =>
    spawnSync(program, args, { encoding: 'utf8', ...options });

  test('exec and shell need no Node, everything else and their help do', () => {
    using tree = fakeTree();
    for (const verb of ['exec', 'shell']) {
      const result = call(tree.nslab, [verb, 'no-such-node', '--no-such'], tree);
      assert.match(result.stderr, /^error\[/);
      assert.equal(result.stdout, '');
    }
    const by = (...args: string[]) =>
      `[--v8-pool-size=1][${tree.script}]${args.map((word) => `[${word}]`).join('')}`;
    for (const args of [['exec', '--help'], ['shell', '-h'], ['up', 'a b', ''], [], ['_snapshot-keys']]) {
      assert.equal(call(tree.nslab, args, tree).stdout, by(...args));
    }
  });

  test('it finds its files through symbolic links, PATH and any working directory', () => {
    using tree = fakeTree();
    const links = join(tree.folder, 'links');
    mkdirSync(links);
    symlinkSync('../bin/nslab', join(links, 'first'));
    symlinkSync('first', join(links, 'nslab'));
    symlinkSync(tree.folder, join(links, 'tree'));
    const expected = `[--v8-pool-size=1][${tree.script}][up]`;
    assert.equal(call(join(links, 'nslab'), ['up'], tree).stdout, expected);
    assert.equal(call(join(links, 'tree/bin/nslab'), ['up'], tree).stdout, expected);
    const path = { env: { PATH: `${links}:${tree.env.PATH}` } };
    assert.equal(call('/bin/sh', ['-c', 'nslab up'], path).stdout, expected);
    assert.equal(call('./nslab', ['up'], { ...tree, cwd: join(tree.folder, 'bin') }).stdout, expected);
  });

  test('before the build it says how to build', () => {
    using tree = fakeTree({});
    const result = call(tree.nslab, ['up'], tree);
    assert.equal(result.status, 4);
    assert.match(result.stderr, /^error\[HOST_NOT_BUILT\] .*\n {2}hint: build it first: npm run build\n$/);
  });

  test('without Node it says so', () => {
    using tree = fakeTree();
    const result = call(tree.nslab, ['up'], { env: { PATH: join(tree.folder, 'links') } });
    assert.equal(result.status, 4);
    assert.match(result.stderr, /^error\[HOST_NOT_BUILT\] node is not in PATH\n {2}hint: install Node/);
  });

  test('the startup snapshot is used with the Node that made it and with no other', () => {
    using tree = fakeTree({ 'nslab.js': '', 'nslab.blob': '' });
    const fake = join(tree.folder, 'path/node');
    const key = call(helper, ['_snapshot-key', fake], tree).stdout;
    assert.match(key, /^\d+ \d+\.\d{9} \d+ [0-9a-f.]+\n$/);
    const plain = `[--v8-pool-size=1][${tree.script}][ls]`;
    const fast = `[--v8-pool-size=1][--snapshot-blob][${tree.blob}][${tree.script}][ls]`;
    const ls = (env: Readonly<Record<string, string>> = {}) =>
      call(tree.nslab, ['ls'], { env: { ...tree.env, ...env } }).stdout;
    assert.equal(ls(), plain, 'nothing says what made it');
    writeFileSync(`${tree.blob}.for`, key);
    assert.equal(ls(), fast);
    writeFileSync(`${tree.blob}.for`, `${key}--one=1\n--two\n`);
    assert.equal(ls(), fast.replace('[--snap', '[--one=1][--two][--snap'), 'the options it was made with');
    assert.equal(ls({ NODE_OPTIONS: '--stack-size=2000' }), plain, 'options may change what V8 compares');
    writeFileSync(`${tree.blob}.for`, key.replace(/\n$/, '0\n'));
    assert.equal(ls(), plain, 'another processor');
    writeFileSync(`${tree.blob}.for`, key);
    writeFileSync(fake, `${node}\n`);
    assert.equal(ls(), plain, 'another Node');
  });

  test('it says the same with and without the snapshot', () => {
    const launcher = join(root, 'bin/nslab');
    const plain = { env: { ...process.env, NODE_OPTIONS: '--no-deprecation' } };
    for (const args of [['--help'], ['up', '--help'], ['plan', 'topologies/nat.yaml'], ['up'], ['frob']]) {
      const { stdout, stderr, status } = call(launcher, args, { cwd: root });
      assert.notEqual(`${stdout}${stderr}`, '');
      const without = call(launcher, args, { ...plain, cwd: root });
      assert.deepEqual([without.stdout, without.stderr, without.status], [stdout, stderr, status]);
    }
  });
});
