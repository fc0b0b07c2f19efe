// Who reaches whom, as a table: rows ask, columns answer.

import type { Matrix, MatrixCell } from '../../lab/matrix.ts';
import { count } from './count.ts';
import { renderTable } from './table.ts';
import { visible } from './visible.ts';

/** Above so many nodes a cell has a mark only. */
const WIDE = 8;

export function matrixText({ lab, nodes, cells }: Matrix): string {
  const wide = nodes.length > WIDE;
  const by = new Map(cells.map((cell) => [`${cell.from} ${cell.to}`, cell]));
  const rows = nodes.map((from, i) => [
    wide ? `${i + 1} ${from}` : from,
    ...nodes.map((to) => (to === from ? '' : cellText(by.get(`${from} ${to}`), wide))),
  ]);
  const head = ['FROM', ...nodes.map((name, i) => (wide ? String(i + 1) : name))];
  const lost = cells.filter(({ reached }) => !reached);
  const reached = `${cells.length - lost.length} of ${count(cells.length, 'pair')} reach each other in lab ${visible(lab)}\n`;
  const table = nodes.length === 0 ? '' : renderTable(head, rows);
  const missing = wide
    ? lost.map((cell) => `${visible(`${cell.from} does not reach ${cell.to}: ${whyText(cell)}`)}\n`)
    : [];
  return `${table}${missing.join('')}${reached}`;
}

function cellText(cell: MatrixCell | undefined, wide: boolean): string {
  if (cell === undefined) return '';
  if (wide) return cell.reached ? '.' : 'x';
  return cell.reached
    ? `${cell.address}\n${cell.ms?.toFixed(2)} ms`
    : `${cell.address ?? ''}\n${cell.why ?? 'no address'}`;
}

function whyText({ address, why }: MatrixCell): string {
  return address === null ? 'it has no address' : `${address}, ${why}`;
}
