// The picture as one HTML file that needs nothing else: the SVG, to be moved and enlarged, with details of what the pointer is on.
// Its policy allows the one script and the one style sheet that are in it, by their hashes, and no network at all.

import { createHash } from 'node:crypto';
import type { Graph } from './graph.ts';
import { drawSvg, escapeXml } from './svg.ts';

/** An HTML document. */
export function htmlText(graph: Graph): string {
  const { svg } = drawSvg(graph, 'data');
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'`;
  return [
    '<!DOCTYPE html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeXml(`lab ${graph.lab}`)}</title>`,
    `<style>${style}</style>`,
    '</head>',
    '<body>',
    svg.trimEnd(),
    '<div id="bar"><button id="in" title="larger">+</button><button id="out" title="smaller">−</button><button id="fit" title="all of it">fit</button></div>',
    '<pre id="about" hidden></pre>',
    `<script>${script}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

const style = `
html, body { margin: 0; height: 100%; overflow: hidden; background: #fff; }
svg { display: block; width: 100%; height: 100%; cursor: grab; touch-action: none; }
svg.moving { cursor: grabbing; }
#bar { position: fixed; right: 12px; top: 12px; }
#bar button { font: 15px sans-serif; min-width: 34px; height: 30px; margin-left: 4px; }
#about { position: fixed; margin: 0; padding: 8px 10px; max-width: 60ch; white-space: pre-wrap; pointer-events: none;
  font: 12px monospace; color: #fff; background: #263238; border-radius: 5px; box-shadow: 0 2px 8px #0006; }
@media print { #bar, #about { display: none; } }
`;

// Text of the lab reaches the page by textContent only.
const script = `
(() => {
  const svg = document.querySelector('svg');
  const about = document.getElementById('about');
  const all = svg.viewBox.baseVal;
  const whole = [all.x, all.y, all.width, all.height];
  let view = whole.slice();
  const show = () => svg.setAttribute('viewBox', view.join(' '));
  const scale = () => Math.max(view[2] / svg.clientWidth, view[3] / svg.clientHeight);
  const at = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [point.x, point.y];
  };
  const zoom = (factor, [x, y]) => {
    const width = view[2] * factor;
    if (width < whole[2] / 60 || width > whole[2] * 6) return;
    view = [x - (x - view[0]) * factor, y - (y - view[1]) * factor, width, view[3] * factor];
    show();
  };
  const middle = () => [view[0] + view[2] / 2, view[1] + view[3] / 2];
  svg.removeAttribute('width');
  svg.removeAttribute('height');
  svg.addEventListener('wheel', (event) => {
    event.preventDefault();
    zoom(Math.exp(event.deltaY * 0.0015), at(event));
  }, { passive: false });
  const held = new Map();
  const spread = () => {
    const [a, b] = [...held.values()];
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  };
  svg.addEventListener('pointerdown', (event) => {
    held.set(event.pointerId, event);
    svg.setPointerCapture(event.pointerId);
    svg.classList.add('moving');
  });
  svg.addEventListener('pointermove', (event) => {
    const before = held.get(event.pointerId);
    if (before) {
      const was = held.size === 2 ? spread() : 0;
      held.set(event.pointerId, event);
      if (held.size === 2) zoom(was / spread(), at(event));
      else {
        const unit = scale();
        view[0] -= (event.clientX - before.clientX) * unit;
        view[1] -= (event.clientY - before.clientY) * unit;
        show();
      }
      about.hidden = true;
      return;
    }
    const group = event.target.closest('[data-about]');
    about.hidden = !group;
    if (!group) return;
    about.textContent = group.dataset.about;
    about.style.left = Math.min(event.clientX + 14, Math.max(0, innerWidth - about.offsetWidth - 8)) + 'px';
    about.style.top = Math.min(event.clientY + 14, Math.max(0, innerHeight - about.offsetHeight - 8)) + 'px';
  });
  const release = (event) => {
    held.delete(event.pointerId);
    if (held.size === 0) svg.classList.remove('moving');
  };
  svg.addEventListener('pointerup', release);
  svg.addEventListener('pointercancel', release);
  svg.addEventListener('pointerleave', () => { about.hidden = true; });
  const fit = () => { view = whole.slice(); show(); };
  document.getElementById('in').onclick = () => zoom(0.8, middle());
  document.getElementById('out').onclick = () => zoom(1.25, middle());
  document.getElementById('fit').onclick = fit;
  addEventListener('keydown', ({ key }) => {
    if (key === '+') zoom(0.8, middle());
    else if (key === '-') zoom(1.25, middle());
    else if (key === '0') fit();
  });
})();
`;
