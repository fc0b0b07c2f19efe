// `nslab shell`: a login shell on a terminal whose prompt shows the node, for the shells that are installed; and what it is
// without a terminal. The user's shell and start files are those of the node's own /etc/passwd and of a HOME made for the test.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { builtNslab, type PinnedLab, pinnedLab } from '../support/pinned-lab.ts';
import { skipUnlessRoot } from '../support/skip.ts';
import { openTty, type Tty } from '../support/tty.ts';

describe('nslab shell', () => {
  let lab: PinnedLab;
  let nslab = '';
  let home = '';

  before(() => {
    if (process.geteuid?.() !== 0) return;
    nslab = builtNslab();
    lab = pinnedLab(['pc1']);
    home = mkdtempSync(join(tmpdir(), 'nslab-home-'));
  });
  after(() => {
    lab?.down();
    if (home !== '') rmSync(home, { recursive: true });
  });

  const shellTest = (title: string, body: (t: TestContext) => void | Promise<void>): void => {
    test(title, async (t) => {
      if (!skipUnlessRoot(t, 'e2e')) await body(t);
    });
  };
  /** Makes the shell root's, and the files those of root's HOME. */
  const prepare = (shell: string, files: Readonly<Record<string, string>> = {}): void => {
    rmSync(home, { recursive: true });
    home = mkdtempSync(join(tmpdir(), 'nslab-home-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
    lab.etc('pc1', {
      passwd: `root:x:0:0::${home}:${shell}\nalice:x:4001:4002:A:/usr:/bin/dash\n`,
      group: 'root:x:0:\n',
    });
  };
  const open = (words: readonly string[] = [], extra: NodeJS.ProcessEnv = {}): Tty => {
    const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], HOME: home, TERM: 'dumb', ...extra };
    return openTty([nslab, 'shell', '--lab', lab.lab, ...words, 'pc1'], { env, cwd: '/usr' });
  };

  shellTest(
    'bash shows the node where the user’s prompt has the host name, after the user’s own files',
    async () => {
      prepare('/bin/bash', {
        '.profile': '. ~/.bashrc\nFROM_PROFILE=yes\n',
        '.bashrc': "PS1='<\\u@\\h:\\w>'\nalias greet='echo hello'\n",
      });
      const tty = open();
      await tty.shown(/<root@pc1:\/usr>/);
      tty.type('greet $FROM_PROFILE $SHELL\r');
      await tty.shown(/hello yes \/bin\/bash\r\n<root@pc1:\/usr>/);
      tty.type('ls /sys/class/net; ls /proc/$$/fd | xargs\r');
      await tty.shown(/lo\r\n(0 1 2 )(\d{3} ?)*\r\n/);
      tty.type('exit 5\r');
      assert.equal(await tty.ended, 5);
    },
  );

  shellTest('bash puts the node before a prompt that has no host name', async () => {
    prepare('/bin/bash', { '.bash_profile': "PS1='plain> '\n", '.profile': "PS1='wrong file> '\n" });
    const tty = open();
    await tty.shown(/\[pc1\] plain> /);
    tty.type('exit\r');
    assert.equal(await tty.ended, 0);
  });

  shellTest(
    'bash shows the node in a prompt that PROMPT_COMMAND makes anew each time, and keeps $?',
    async () => {
      prepare('/bin/bash', { '.profile': 'PROMPT_COMMAND=\'PS1="[$?] \\h> "\'\n' });
      const tty = open();
      await tty.shown(/\[0\] pc1> /);
      tty.type('false\r');
      await tty.shown(/\[1\] pc1> /);
      tty.type('exit\r');
      assert.equal(await tty.ended, 1);
    },
  );

  shellTest('bash runs ~/.bash_logout, as a login shell does', async () => {
    prepare('/bin/bash', { '.profile': "PS1='\\h> '\n", '.bash_logout': 'echo bye from logout\n' });
    const tty = open();
    await tty.shown(/pc1> /);
    tty.type('exit\r');
    await tty.shown(/bye from logout/);
    assert.equal(await tty.ended, 0);
  });

  for (const shell of ['/bin/dash', '/bin/sh']) {
    shellTest(`${shell} is a login shell whose prompt has user, node and directory`, async () => {
      prepare(shell, { '.profile': 'FROM_PROFILE=yes\n' });
      const tty = open([], { ENV: join(home, 'own-env') });
      writeFileSync(join(home, 'own-env'), 'FROM_ENV=too\n');
      await tty.shown(/root@pc1:\/usr# /);
      tty.type('cd /; echo $0 $FROM_PROFILE $FROM_ENV $ENV\r');
      const base = shell.slice('/bin/'.length);
      await tty.shown(new RegExp(`-${base} yes too ${home}/own-env\r\nroot@pc1:/# `));
      tty.type('ls /proc/$$/fd | grep -xE "[3-9]"; exit 6\r');
      assert.equal(await tty.ended, 6);
    });
  }

  shellTest('dash puts the node before the user’s own prompt', async () => {
    prepare('/bin/dash', { '.profile': "PS1='mine% '\n" });
    const tty = open();
    await tty.shown(/\[pc1\] mine% /);
    tty.type('exit\r');
    assert.equal(await tty.ended, 0);
  });

  // fish and zsh are not among the tools of the tests, so a program of that name shows what it is given.
  const standIn = (name: string): string => {
    prepare('/bin/sh');
    const shell = join(home, name);
    const script = '#!/bin/bash\nprintf "<%s>" "$@" "$RPROMPT" "$SHELL"\nexit 8\n';
    writeFileSync(shell, script, { mode: 0o755 });
    lab.etc('pc1', { passwd: `root:x:0:0::${home}:${shell}\n` });
    return shell;
  };

  shellTest(
    'fish is a login shell that gets a prompt with the node after its own configuration',
    async () => {
      const shell = standIn('fish');
      const tty = open();
      await tty.shown(
        /<--login><--init-command><functions -q fish_prompt[^>]*echo -n "\[\$NSLAB_NODE\] "[^>]*>/,
      );
      await tty.shown(new RegExp(`<><${shell}>`));
      assert.equal(await tty.ended, 8);
    },
  );

  shellTest('zsh gets the node as its right prompt and no argument', async () => {
    const shell = standIn('zsh');
    const tty = open();
    await tty.shown(new RegExp(`^<\\[pc1\\]><${shell}>`));
    assert.equal(await tty.ended, 8);
  });

  shellTest('-u opens that user’s shell in that user’s home', async () => {
    prepare('/bin/bash');
    const tty = open(['-u', 'alice']);
    await tty.shown(/alice@pc1:\/usr\$ /);
    tty.type('echo $(id -u) $HOME $USER $SHELL; exit 4\r');
    await tty.shown(/4001 \/usr alice \/bin\/dash\r\n/);
    assert.equal(await tty.ended, 4);
  });

  shellTest('without a passwd entry it is $SHELL, and without that /bin/sh', async () => {
    prepare('/bin/bash');
    lab.etc('pc1', { passwd: 'nobody:x:65534:65534::/:/bin/sh\n' });
    const tty = open([], { SHELL: '/bin/dash' });
    await tty.shown(/pc1/);
    tty.type('echo "=$0="; exit\r');
    await tty.shown(/=-dash=/);
    assert.equal(await tty.ended, 0);
    const plain = open();
    await plain.shown(/pc1/);
    plain.type('echo "=$0="; exit\r');
    await plain.shown(/=-sh=/);
    assert.equal(await plain.ended, 0);
  });

  shellTest('without a terminal it runs the script on stdin, as a login shell', () => {
    prepare('/bin/bash', { '.profile': 'FROM_PROFILE=yes\n' });
    const result = spawnSync(nslab, ['shell', '--lab', lab.lab, 'pc1'], {
      input:
        'echo $0 $FROM_PROFILE $NSLAB_NODE; ls /sys/class/net; ls /proc/$$/fd | grep -xE "[3-9]"; exit 3\n',
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: home },
    });
    assert.equal(result.stdout, '-bash yes pc1\nlo\n');
    assert.equal(result.stderr, '');
    assert.equal(result.status, 3);
  });

  shellTest('a shell that cannot be run is 127 or 126, and a command is refused', () => {
    prepare('/no/such/shell');
    const shell = (...words: string[]) => spawnSync(nslab, ['shell', ...words], { encoding: 'utf8' });
    const missing = shell('--lab', lab.lab, 'pc1');
    assert.equal(missing.status, 127);
    assert.match(
      missing.stderr,
      /^error\[EXEC_FAILED\] cannot run the shell "\/no\/such\/shell": No such file/,
    );
    prepare('/etc/passwd');
    assert.equal(shell('--lab', lab.lab, 'pc1').status, 126);
    const command = shell('--lab', lab.lab, 'pc1', 'ls');
    assert.equal(command.status, 2);
    assert.match(command.stderr, /shell takes no command \("ls"\)/);
    assert.equal(shell('--lab', lab.lab, 'nope').status, 7);
    assert.equal(shell().status, 2);
  });
});
