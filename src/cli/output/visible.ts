// Text from files and from the kernel, made harmless for a terminal: a name can hold escape sequences.

/**
 * A text as a terminal may have it. An escape sequence in a file could otherwise rewrite what stands on the screen or the title
 * of its window, and characters that turn the direction of writing could show a line other than it is.
 */
export function visible(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0;
    // A tab is one character wide in a position, so it is drawn as one; the others have pictures in Unicode.
    if (code === 9) return '→';
    if (code < 32) return String.fromCodePoint(0x2400 + code);
    if (code === 127) return '␡';
    return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}

// Controls (C0, DEL, C1), lone surrogates, line and paragraph separators, and the invisible or turning characters of Unicode's
// "general punctuation" (zero width, bidirectional marks, isolates), soft hyphen and byte order mark.
const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu;

/** The same for a text of several lines, which stay lines. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}
