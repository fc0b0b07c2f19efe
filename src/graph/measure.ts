// How much room text takes without a browser to ask. Interfaces and addresses are set in a monospaced font, where 0.602 em is the
// advance of DejaVu, Liberation and Menlo alike (Consolas and Courier are narrower or equal); names in a bold sans-serif, for which
// the widths are those of DejaVu Sans Bold, the widest of the usual ones. Guesses may be too wide, never too narrow.

/** Pixels. */
export const NAME_SIZE = 15;
export const NOTE_SIZE = 11;
export const PORT_SIZE = 11;
export const TITLE_SIZE = 18;
export const LINE = 15;

const MONO_ADVANCE = 0.602;
/** Ideographs and what is as wide, emoji among them: two columns of a terminal. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u;

const narrowLetters = new Set("fijlrtI.,:;'|!()[]/ -");
const wideLetters = new Set('mwMW@%');

export function monoWidth(text: string, size = PORT_SIZE): number {
  let columns = 0;
  for (const character of text) columns += wide.test(character) ? 2 : 1;
  return columns * MONO_ADVANCE * size;
}

export function boldWidth(text: string, size = NAME_SIZE): number {
  let em = 0;
  for (const character of text) em += boldAdvance(character);
  return em * size;
}

function boldAdvance(character: string): number {
  if (narrowLetters.has(character)) return 0.47;
  if (wideLetters.has(character)) return 1.1;
  if (wide.test(character)) return 1.3;
  return /[A-Z_]/.test(character) ? 0.8 : 0.72;
}

/** Text of the notes under a name, which is not bold. */
export function noteWidth(text: string, size = NOTE_SIZE): number {
  return boldWidth(text, size) * 0.95;
}

/** The text, or its beginning and an ellipsis where it is longer than that many characters. */
export function shortened(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}
