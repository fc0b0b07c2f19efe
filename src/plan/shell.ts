// Words as a POSIX shell reads them back: bash(1) "QUOTING", sh(1). Whatever is in a word, the shell sees that word and no more.

/** The word, in single quotes unless it is plain. */
export function quote(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line. */
export function commandLine(argv: readonly string[]): string {
  return argv.map(quote).join(' ');
}

/** A comment: one line, whatever the text holds. */
export function comment(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: line ends and everything else that a terminal obeys
  return `# ${text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ')}`;
}

/** A here-document that holds the text word for word: the delimiter is quoted, and is no line of it. */
export function hereDocument(text: string): { readonly redirect: string; readonly body: string } {
  let end = 'EOF';
  while (text.split('\n').includes(end)) end += '_';
  return { redirect: `<<'${end}'`, body: `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${end}` };
}
