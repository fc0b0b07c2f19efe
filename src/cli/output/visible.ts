// Text from files and from the kernel, made harmless for a terminal: a name can hold escape sequences.

/** Control characters, escapes among them, as `\x1b`; a line break stays one. */
export function visible(text: string): string {
  let shown = '';
  for (const char of text)
    shown += isControl(char) ? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}` : char;
  return shown;
}

/** C0 but for the line feed, DEL and C1. */
function isControl(char: string): boolean {
  const code = char.charCodeAt(0);
  return (code < 0x20 && code !== 0x0a) || (code >= 0x7f && code < 0xa0);
}
