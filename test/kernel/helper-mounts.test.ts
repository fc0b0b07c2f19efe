// The mount namespaces that the helper makes (src/helper/template.c), looked at from outside through /proc and util-linux:
// what a command sees, what the host and other commands do not see, and that `down` frees all of it.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { patience } from '../support/emulated.ts';
import { throwawayNetns } from '../support/netns.ts';
import { builtNslab, mountsBelow, pinnedLab, uniqueName } from '../support/pinned-lab.ts';
import { processors } from '../support/processors.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const LABS = '/run/nslab/labs';

function exec(lab: string, ...words: string[]): string {
  return execFileSync(builtNslab(), ['exec', '--lab', lab, ...words], { encoding: 'utf8' });
}

/** A command that runs in the node until it is killed; resolves when it is inside. */
async function running(lab: string, node: string): Promise<ChildProcess> {
  const words = ['exec', '--lab', lab, node, 'sh', '-c', 'echo inside; exec sleep 1000'];
  const child = spawn(builtNslab(), words, { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(child.stdout !== null);
  await once(child.stdout, 'data');
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + patience(20_000);
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await delay(20);
  }
}

/** A folder to mount on. */
function scratch(): { folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-mounts-'));
  return {
    folder,
    [Symbol.dispose]: () => {
      spawnSync('umount', ['-l', folder], { stdio: 'ignore' });
      rmSync(folder, { recursive: true });
    },
  };
}

/** The pins of the lab's templates, under either name. */
function templates(lab: string): string[] {
  const folder = join(LABS, lab, 'netns/.exec');
  return mountsBelow(folder).filter((point) => point !== folder);
}

/** The mount points of another process. */
function mountsOf(pid: number | undefined): string[] {
  const table = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  return table.split('\n').map((line) => line.split(' ')[4] ?? '');
}

/** Where the root mount is not shared, a template needs listmount(2) to notice changes of the host: Linux 6.8. */
function hasTemplates(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const root = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[4] === '/');
  return major > 6 || (major === 6 && minor >= 8) || root?.includes(' shared:') === true;
}

function skipUnlessTemplates(t: TestContext): boolean {
  if (hasTemplates()) return false;
  skipKernelLacks(t, 'listmount(2), Linux 6.8, and the mounts of this machine are not shared');
  return true;
}

function kernelTest(title: string, body: (t: TestContext) => void | Promise<void>): void {
  test(title, async (t) => {
    if (!skipUnlessRoot(t)) await body(t);
  });
}

kernelTest(
  'a command has no mount of the labs’ pins, so that its start does not grow with the lab',
  async (t) => {
    if (skipUnlessTemplates(t)) return;
    using big = pinnedLab(Array.from({ length: 40 }, (_, i) => `n${i}`));
    using other = pinnedLab(['x']);
    const command = await running(big.lab, 'n0');
    try {
      const points = mountsOf(command.pid);
      assert.deepEqual(
        points.filter((point) => point.startsWith(LABS)),
        [],
      );
      const host = mountsOf(process.pid).filter((point) => !point.startsWith(LABS));
      // /run/nslab itself and a sysfs in the place of the host's.
      assert.ok(points.length <= host.length + 2, `${points.length} mounts, the host has ${host.length}`);
      assert.equal(mountsBelow(join(LABS, other.lab, 'netns')).length, 2);
    } finally {
      await stop(command);
    }
  },
);

kernelTest('what a command mounts is seen by itself alone', () => {
  using lab = pinnedLab(['a', 'b']);
  using place = scratch();
  const script = `mount -t tmpfs none ${place.folder} && touch ${place.folder}/mine && ls ${place.folder}`;
  assert.equal(exec(lab.lab, 'a', 'sh', '-c', script), 'mine\n');
  assert.deepEqual(mountsBelow(place.folder), []);
  assert.equal(exec(lab.lab, 'a', 'ls', place.folder), '');
  assert.equal(exec(lab.lab, 'b', 'ls', place.folder), '');
  // Nor does one that breaks its own view break the next.
  exec(lab.lab, 'a', 'sh', '-c', 'umount -l /sys; umount -l /run/nslab 2>/dev/null; true');
  assert.equal(exec(lab.lab, 'a', 'ls', '/sys/class/net'), 'lo\n');
});

kernelTest('what the host mounts or unmounts later is seen by the next command', () => {
  using lab = pinnedLab(['a']);
  using place = scratch();
  writeFileSync(join(place.folder, 'below'), '');
  const look = (): string => exec(lab.lab, 'a', 'ls', place.folder);
  assert.equal(look(), 'below\n');
  execFileSync('mount', ['-t', 'tmpfs', 'none', place.folder]);
  writeFileSync(join(place.folder, 'above'), '');
  assert.equal(look(), 'above\n');
  const here = spawnSync(builtNslab(), ['exec', '--lab', lab.lab, 'a', 'ls'], {
    cwd: place.folder,
    encoding: 'utf8',
  });
  assert.equal(here.stdout, 'above\n', here.stderr);
  execFileSync('umount', [place.folder]);
  assert.equal(look(), 'below\n');
});

kernelTest('another lab that comes or goes does not make the template of this one anew', (t) => {
  if (skipUnlessTemplates(t)) return;
  using lab = pinnedLab(['a']);
  exec(lab.lab, 'a', 'true');
  const inode = (): string => execFileSync('stat', ['-c', '%i', ...templates(lab.lab)], { encoding: 'utf8' });
  const first = inode();
  const follows = templates(lab.lab).some((point) => point.endsWith('/follow'));
  const other = pinnedLab(['x', 'y']);
  try {
    exec(other.lab, 'x', 'true');
    exec(lab.lab, 'a', 'true');
    // Where mounts propagate, the pins of the other lab have reached the template: there it must be made anew.
    if (!follows) assert.equal(inode(), first);
    assert.equal(templates(lab.lab).length, 1);
  } finally {
    other.down();
  }
  assert.equal(exec(lab.lab, 'a', 'ls', '/sys/class/net'), 'lo\n');
});

kernelTest('twenty first commands at once make one template and all succeed', async () => {
  using lab = pinnedLab(['a', 'b', 'c']);
  const commands = Array.from({ length: 20 }, async (_, i) => {
    const node = 'abc'[i % 3] ?? 'a';
    const words = ['exec', '--lab', lab.lab, node, 'sh', '-c', 'ls /sys/class/net; echo $NSLAB_NODE'];
    const child = spawn(builtNslab(), words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    child.stderr.on('data', (data) => {
      text += data;
    });
    const [status] = await once(child, 'close');
    assert.equal(text, `lo\n${node}\n`);
    assert.equal(status, 0);
  });
  await Promise.all(commands);
  assert.equal(templates(lab.lab).length, hasTemplates() ? 1 : 0);
});

kernelTest(
  'down frees the template and every namespace, but the one in which a command still runs',
  async () => {
    await using far = await throwawayNetns('t-helper');
    const lab = pinnedLab(['busy', 'idle'], `${uniqueName()}-`);
    let command: ChildProcess | undefined;
    try {
      for (const node of ['busy', 'idle']) {
        const words = ['-n', far.name, 'link', 'add', node, 'type', 'veth', 'peer', 'name', 'far0'];
        execFileSync('ip', [...words, 'netns', lab.netns(node)]);
      }
      exec(lab.lab, 'idle', 'true');
      command = await running(lab.lab, 'busy');
      assert.equal(templates(lab.lab).length, hasTemplates() ? 1 : 0);
      lab.down();
      assert.deepEqual(mountsBelow(join(LABS, lab.lab)), []);
      const links = (): string[] => far.ip('link').map((link: { ifname: string }) => link.ifname);
      await until('the veth of the idle node is gone with its namespace', () => !links().includes('idle'));
      assert.ok(links().includes('busy'), 'a running command keeps its own namespace');
      await stop(command);
      command = undefined;
      await until('the last namespace is gone', () => !links().includes('busy'));
    } finally {
      if (command !== undefined) await stop(command);
      lab.down();
    }
  },
);

kernelTest(
  'down while commands start leaves nothing mounted and nothing in the folder under the pins',
  async () => {
    for (let round = 0; round < 5; round++) {
      const lab = pinnedLab(['a']);
      const folder = join(LABS, lab.lab, 'netns');
      try {
        const commands = Array.from({ length: 6 }, () =>
          once(spawn(builtNslab(), ['exec', '--lab', lab.lab, 'a', 'true'], { stdio: 'ignore' }), 'close'),
        );
        await delay(round);
        spawnSync('umount', ['-l', folder]);
        await Promise.all(commands);
        assert.deepEqual(mountsBelow(folder), []);
        assert.equal(execFileSync('ls', ['-A', folder], { encoding: 'utf8' }), '');
      } finally {
        lab.down();
      }
    }
  },
);

// A machine as systemd sets it up: all mounts shared, and an init process one may look at. The script is its init.
kernelTest(
  'where all mounts are shared the template follows the host, and ip-netns(8) works inside a node',
  () => {
    using place = scratch();
    const lab = uniqueName();
    const script = `
    set -e
    mount --make-rshared /
    pins=${LABS}/$0/netns place=${place.folder}
    mkdir -p $pins /run/netns
    trap 'set +e; umount -l $pins 2>/dev/null; rm -rf ${LABS}/$0; rm -f /run/netns/$0-?; rmdir ${LABS} /run/nslab 2>/dev/null; true' EXIT
    mount -t tmpfs nslab $pins
    for node in $0-a $0-b; do
      : >$pins/$node
      unshare --net=$pins/$node true
      ln -s $pins/$node /run/netns/$node
    done
    in_node() { '${builtNslab()}' exec --lab $0 "$@"; }
    in_node $0-a true
    ls $pins/.exec
    mount -t tmpfs none $place
    touch $place/later
    in_node $0-a ls $place
    umount $place
    in_node $0-a ls $place
    in_node $0-a sh -c "mount -t tmpfs none $place && touch $place/leak"
    ls $place
    in_node $0-a ip netns exec $0-b readlink /proc/self/ns/net
    nsenter --net=$pins/$0-b readlink /proc/self/ns/net
    in_node $0-a sh -c "grep -c $pins /proc/self/mountinfo || true"
    umount -l $pins
    grep -c $pins /proc/self/mountinfo || true
    exit 0`;
    const args = [
      '--mount',
      '--pid',
      '--fork',
      '--mount-proc',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      lab,
    ];
    const result = spawnSync('unshare', args, { encoding: 'utf8' });
    assert.equal(result.status, 0, result.stderr);
    const lines = result.stdout.trimEnd().split('\n');
    assert.deepEqual(lines.slice(0, 2), ['follow', 'later'], result.stdout + result.stderr);
    assert.match(lines[2] ?? '', /^net:/, 'nothing was left mounted and nothing leaked');
    assert.equal(lines[2], lines[3]);
    assert.deepEqual(lines.slice(4), ['0', '0']);
  },
);

// Linux 6.18 numbers namespaces from a stock of each processor: in one of the two directions what the helper makes has the lower number.
kernelTest(
  'a caller in a mount namespace that another processor numbered gets a template that is kept',
  (t) => {
    if (skipUnlessTemplates(t)) return;
    const [first, second] = processors();
    if (first === undefined || second === undefined) return skipKernelLacks(t, 'a second processor');
    for (const [made, used] of [
      [first, second],
      [second, first],
    ] as const) {
      using lab = pinnedLab(['a']);
      const command = `'${builtNslab()}' exec --lab ${lab.lab} a grep Cpus_allowed_list /proc/self/status; ls ${LABS}/${lab.lab}/netns/.exec`;
      const script = `taskset -cp ${used} $$ >/dev/null && ${command}`;
      const words = [
        '-c',
        String(made),
        'unshare',
        '--mount',
        '--propagation',
        'unchanged',
        'sh',
        '-c',
        script,
      ];
      const output = execFileSync('taskset', words, { encoding: 'utf8' });
      const [affinity, ...pins] = output.trimEnd().split('\n');
      assert.match(affinity ?? '', new RegExp(`:\\s+${used}$`), 'the command runs where its caller asked');
      assert.ok(pins.includes('follow') || pins.includes('checked'), output);
    }
  },
);

kernelTest('in a chroot and in a mount namespace of the caller’s own, the caller’s files are seen', () => {
  using lab = pinnedLab(['a']);
  using place = scratch();
  exec(lab.lab, 'a', 'true');
  const own = `mount -t tmpfs none ${place.folder} && touch ${place.folder}/own && exec "$0" exec --lab "$1" a ls ${place.folder}`;
  const inOwn = spawnSync('unshare', ['-m', 'sh', '-c', own, builtNslab(), lab.lab], { encoding: 'utf8' });
  assert.equal(inOwn.stdout, 'own\n', inOwn.stderr);
  const root = `mount --rbind / ${place.folder} && mount -t tmpfs none ${place.folder}/mnt && touch ${place.folder}/mnt/own &&
    exec chroot ${place.folder} "$0" exec --lab "$1" a ls /mnt`;
  const inChroot = spawnSync('unshare', ['-m', 'sh', '-c', root, builtNslab(), lab.lab], {
    encoding: 'utf8',
  });
  assert.equal(inChroot.stdout, 'own\n', inChroot.stderr);
});
