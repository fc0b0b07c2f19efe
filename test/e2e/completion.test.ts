// Completion as a shell asks for it: the script is sourced and asked what it would offer, with labs up and without.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nslab, nslabOk, root, run, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-completion-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const env = { ...process.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };

/** What bash offers where the line ends, in order. */
function bash(line: string): string[] {
  const script = `
source <(nslab completion bash)
COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
read -ra COMP_WORDS <<<"$1"
_nslab
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', line], {
    encoding: 'utf8',
    env,
    cwd: folder,
  });
  // compopt speaks of completion only, and this is none.
  assert.equal(stderr.replace(/.*compopt: .*\n/g, ''), '', line);
  return stdout
    .split('\n')
    .filter((word) => word !== '')
    .sort();
}

/** What it offers for a word of that kind. */
function ofKind(kind: string, word: string): string[] {
  const script = 'source <(nslab completion bash); nslab=nslab; _nslab_of_kind "$@"';
  return run(['bash', '-c', script, 'bash', kind, word], { env }).stdout.split('\n').filter(Boolean);
}

const file = join(folder, 'tcompl.yaml');
writeFileSync(
  file,
  'name: tcompl\nnodes: { pc1: {}, pc2: {} }\nlinks: [ { endpoints: [ "pc1:eth0", "pc2:eth0" ] } ]\n',
);

test('bash completes commands, options, their values and topology files without any lab', (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  assert.deepEqual(bash('nslab expl'), ['explain']);
  assert.deepEqual(bash('nslab image bu'), ['build-base']);
  assert.deepEqual(bash('nslab up --wai'), ['--wait', '--wait-timeout']);
  assert.deepEqual(bash('nslab up --pull '), ['always', 'missing', 'never']);
  assert.deepEqual(bash('nslab up --pull=m'), ['missing']);
  assert.deepEqual(bash('nslab image prune --'), ['--all', '--help', '--json', '--version']);
  writeFileSync(join(folder, 'notes.txt'), '');
  assert.deepEqual(bash('nslab up '), ['tcompl.yaml']);
  assert.deepEqual(bash('nslab up tcompl.yaml --prefix '), []);
  assert.deepEqual(bash('nslab completion z'), ['zsh']);
});

test('bash completes labs, nodes and interfaces of what is up', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using _one = await upLab(file);
  assert.deepEqual(bash('nslab down tc'), ['tcompl']);
  assert.deepEqual(bash('nslab exec pc'), ['pc1', 'pc2']);
  assert.deepEqual(bash('nslab exec --lab tcompl ho'), ['host']);
  assert.ok(bash('nslab exec pc1 ls').includes('ls'));
  assert.deepEqual(bash('nslab inspect tc'), ['tcompl']);
  assert.deepEqual(ofKind('interfaces', 'pc'), ['pc1:', 'pc2:']);
  assert.deepEqual(ofKind('interfaces', 'pc2:e'), ['pc2:eth0']);
  await using _two = await upLab(file, { prefix: 'b-' });
  assert.deepEqual(bash('nslab exec --lab '), ['b-tcompl', 'tcompl']);
  assert.deepEqual(bash('nslab shell b'), ['b-pc1', 'b-pc2']);
  assert.deepEqual(bash('nslab exec --lab b-tcompl '), ['host', 'pc1', 'pc2']);
  assert.equal(nslabOk(['_words', 'interfaces', 'pc1', 'tcompl']), 'lo\neth0\n');
});

test('zsh and fish offer the same where they are installed', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using _lab = await upLab(file);
  const ask = 'source (nslab completion fish | psub); complete -C "nslab exec pc"';
  const fish = spawnSync('fish', ['-c', ask], { encoding: 'utf8', env });
  if (fish.error !== undefined) t.diagnostic('fish is not installed');
  else assert.deepEqual(fish.stdout.split('\n').filter(Boolean).sort(), ['pc1', 'pc2']);
  // A completion of zsh only lives in its line editor: in a pseudo-terminal of zsh's own.
  const zsh = `
zmodload zsh/zpty
zpty z zsh -f -i
seen=
until_seen() {
  local line try
  for try in {1..100}; do
    while zpty -r -t z line; do seen+=$line; done
    [[ $seen == $~1 ]] && return
    sleep 0.2
  done
}
zpty -w z 'PS1=; autoload -U compinit; compinit -u -D; source <(nslab completion zsh); print REA''DY'
until_seen '*READY*'
zpty -w -n z $'nslab exec pc\\t\\t'
until_seen '*pc1*pc2*'
print -r -- "$seen"
zpty -d z`;
  const asked = spawnSync('zsh', ['-f', '-c', zsh], { encoding: 'utf8', env, timeout: 60_000 });
  if ((asked.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    t.diagnostic('zsh is not installed');
  else assert.match(asked.stdout, /pc1\s+pc2/);
});

test('names are there at once and never an error', (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  for (const kind of ['labs', 'nodes', 'containers', 'images']) {
    const { status, stderr } = nslab(['_words', kind]);
    assert.deepEqual([status, stderr], [0, ''], kind);
  }
  assert.equal(nslab(['_words', 'nodes', 'no-such-lab']).stdout, '');
  assert.equal(nslab(['_words', 'x']).status, 2);
});
