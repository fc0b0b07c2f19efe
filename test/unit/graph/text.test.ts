// What a name can do to a document: nothing, in any format. The readers here are strict and small; they know no more of a format than
// where its strings begin and end.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { dotText } from '../../../src/graph/dot.ts';
import { htmlText } from '../../../src/graph/html.ts';
import { makeGraph } from '../../../src/graph/make-graph.ts';
import { boldWidth, monoWidth, shortened } from '../../../src/graph/measure.ts';
import { mermaidText } from '../../../src/graph/mermaid.ts';
import { escapeXml, svgText } from '../../../src/graph/svg.ts';
import { treeText } from '../../../src/graph/tree.ts';
import { hostileLab, hostileTexts, ring } from '../../support/drawn-labs.ts';

const hostile = makeGraph(hostileLab());

/** Elements, texts and attributes of XML in the form that svg.ts writes. Anything else is an error. */
function readXml(source: string): { readonly names: string[]; readonly texts: string[] } {
  const names: string[] = [];
  const texts: string[] = [];
  const open: string[] = [];
  const token = /<(\/?)([A-Za-z]+)((?:\s[A-Za-z:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  let at = 0;
  for (const match of source.matchAll(token)) {
    assert.equal(match.index, at, `not XML: ${source.slice(at, at + 60)}`);
    at += match[0].length;
    const [, closing, name = '', attributes = '', empty, text = ''] = match;
    for (const entity of `${attributes}${text}`.matchAll(/&(#?\w*;?)/g)) {
      assert.match(entity[1] ?? '', /^(amp|lt|gt|quot|#39|#10);$/);
    }
    if (text !== '') texts.push(text);
    else if (closing === '/') assert.equal(open.pop(), name);
    else {
      names.push(name);
      if (empty !== '/') open.push(name);
    }
  }
  assert.equal(at, source.length, `not XML: ${source.slice(at, at + 60)}`);
  assert.deepEqual(open, []);
  return { names, texts };
}

function unescaped(text: string): string {
  const entities = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#10': '\n' };
  return text.replace(/&(#?\w+);/g, (_, name: keyof typeof entities) => entities[name]);
}

test('SVG stays XML with the elements that we draw, and shows hostile names as they are', () => {
  const { names, texts } = readXml(svgText(hostile));
  assert.deepEqual([...new Set(names)].sort(), ['circle', 'g', 'path', 'rect', 'svg', 'text', 'title']);
  const shown = texts.map(unescaped);
  assert.ok(shown.includes(`a'"\`&<b>`), 'the name of an interface');
  assert.ok(
    shown.some((text) => text.includes('<script>alert(1)</script>')),
    'the folder of a container',
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what XML cannot hold
  assert.doesNotMatch(shown.join(''), /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
});

test('what XML cannot hold is replaced, and all else comes back', () => {
  for (const text of hostileTexts.slice(0, -1)) assert.equal(unescaped(escapeXml(text)), text);
  assert.equal(escapeXml('a\u0000\u001b\ud800\uffffb'), 'a\ufffd\ufffd\ufffd\ufffdb');
});

test('HTML runs its own script alone, and asks for nothing', () => {
  const html = htmlText(hostile);
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '');
  const styles = [...html.matchAll(/<style>([\s\S]*?)<\/style>/g)].map((match) => match[1] ?? '');
  assert.equal(scripts.length, 1);
  assert.equal(styles.length, 1);
  const [policy = ''] = /default-src[^"]*/.exec(html) ?? [];
  const hash = (text = '') => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  assert.equal(policy, `default-src 'none'; style-src ${hash(styles[0])}; script-src ${hash(scripts[0])}`);
  assert.doesNotMatch(html, /https?:(?!\/\/www\.w3\.org\/2000\/svg)|\bsrc=|\bhref=|@import|url\(/);
  readXml(/<svg[\s\S]*<\/svg>/.exec(html)?.[0] ?? '');
});

test('no name ends a string of dot, and none begins a statement', () => {
  for (const line of dotText(hostile).trimEnd().split('\n')) {
    const bare = line.replaceAll(/"(?:[^"\\]|\\.)*"/g, 'S');
    assert.match(
      bare,
      /^(graph S \{|\}| {2}(graph|node|edge) \[[\w=, S.]*\];| {2}S( -- S)? \[[\w=, S]*\];)$/,
      line,
    );
  }
});

test('of a hostile name Mermaid gets codes, and a text is always in quotes', () => {
  const text = mermaidText(hostile);
  for (const line of text.trimEnd().split('\n')) {
    const bare = line.replaceAll(/"(?:[A-Za-z0-9 .,:/()_-]|#\d+;|<br\/>)*"/g, 'S');
    assert.match(
      bare,
      /^(flowchart LR| {2}n\d+(\[|\(\[|\[\[)S(\]|\]\)|\]\]):::\w+| {2}n\d+ (---|-\.-|===)(\|S\|)? n\d+| {2}classDef \w+ fill:#\w+,stroke:#\w+,color:#111)$/,
      line,
    );
  }
  const decoded = text.replace(/#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
  assert.ok(decoded.includes(`a'"\`&<b>`));
});

test('every wire is one line of the tree, and a circle leads back', () => {
  const lines = treeText(makeGraph(ring(6))).split('\n');
  assert.equal(lines.filter((line) => line.includes('───')).length, 6);
  assert.equal(lines.filter((line) => line.includes('(see above)')).length, 1);
  for (let i = 1; i <= 6; i++)
    assert.ok(
      lines.some((line) => line.includes(`10.2.${i}.0/31`)),
      `10.2.${i}.0`,
    );
});

test('wide characters take the room of two, and a long text ends in an ellipsis of the same length', () => {
  assert.equal(monoWidth('网络'), monoWidth('abcd'));
  assert.ok(boldWidth('网络') > boldWidth('ab'));
  assert.equal([...shortened('网'.repeat(60), 48)].length, 48);
  assert.equal(shortened('eth0', 4), 'eth0');
});
