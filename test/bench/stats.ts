// Medians and plain text tables for the benchmark. Pure.

/** The middle value, or the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** Milliseconds with as many digits as mean something. */
export function msText(ms: number): string {
  if (Number.isNaN(ms)) return '-';
  return ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0);
}

export function ratioText(value: number, base: number | undefined): string {
  return base === undefined || !Number.isFinite(value / base) ? '-' : `${(value / base).toFixed(2)}x`;
}

/** Columns as wide as their widest cell; the first is left-aligned, the others right. */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const text = lines.map((line) =>
    widths
      .map((width, column) =>
        column === 0 ? (line[column] ?? '').padEnd(width) : (line[column] ?? '').padStart(width),
      )
      .join('  '),
  );
  return `${text.join('\n')}\n`;
}
