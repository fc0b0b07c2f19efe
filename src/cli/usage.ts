// What is wrong with a command line, from what yargs says of it and from what it knows. It names the word that is wrong and the
// nearest one that is right; yargs alone would call a misspelt option before the file a missing file.

import { NslabError } from '../base/error.ts';
import { didYouMean } from '../base/suggest.ts';

/** A command as it is declared: `up <file>`, and other names for it. */
export type Form = { readonly words: string; readonly aliases: readonly string[] };

/** What was typed, and what could have been. */
export type Typed = {
  readonly argv: readonly string[];
  readonly forms: readonly Form[];
  /** Options of the command that was typed, without dashes, aliases among them. */
  readonly options: readonly string[];
};

/** The error for a command line that yargs refused with the message. */
export function usageError(message: string, { argv, forms, options }: Typed): NslabError {
  // No option before the command has a value.
  const command = argv.find((word) => !word.startsWith('-'));
  const form = forms.find((one) => namesOf(one).includes(command ?? ''));
  const help = form === undefined ? 'nslab --help' : `nslab ${nameOf(form)} --help`;
  const unknown = unknownOption(argv, options);
  // Of a misspelt command the options are not known, so it comes first.
  if (command !== undefined && form === undefined) {
    const hint = didYouMean(command, forms.flatMap(namesOf)) ?? 'nslab --help lists the commands';
    return usage(`there is no command ${command}`, hint);
  }
  if (unknown !== undefined) {
    const near = didYouMean(
      unknown,
      options.filter((option) => option.length > 1).map((option) => `--${option}`),
    );
    const of = form === undefined ? 'nslab' : `nslab ${nameOf(form)}`;
    return usage(`${of} has no option ${unknown}`, near ?? help);
  }
  if (message.startsWith('Not enough non-option')) {
    return usage(`something is missing: nslab ${form?.words ?? 'COMMAND'}`, help);
  }
  return usage(message.replaceAll('\n', ' ').trim(), help);
}

function usage(message: string, hint: string): NslabError {
  return new NslabError('USAGE', message, { hint });
}

function nameOf({ words }: Form): string {
  return words.split(' ', 1)[0] ?? words;
}

function namesOf(form: Form): string[] {
  return [nameOf(form), ...form.aliases];
}

/** The first option that is not one of the known, as it was typed but for its value. */
function unknownOption(argv: readonly string[], options: readonly string[]): string | undefined {
  const end = argv.indexOf('--');
  for (const word of end < 0 ? argv : argv.slice(0, end)) {
    const typed = /^--?([^\s=]+)/.exec(word);
    const name = typed?.[1];
    if (typed === null || name === undefined || isNumber(word)) continue;
    if (word.startsWith('--')) {
      // yargs takes `--no-json` for `--json=false`.
      const bare = name.startsWith('no-') ? name.slice(3) : name;
      if (!options.includes(name) && !options.includes(bare)) return typed[0];
    } else {
      // Letters may stand together, and what follows one that is no letter is its value.
      const letter = [...(/^[a-z]*/i.exec(name)?.[0] ?? name)].find((one) => !options.includes(one));
      if (letter !== undefined) return `-${letter}`;
    }
  }
  return undefined;
}

function isNumber(word: string): boolean {
  return /^-[0-9.]+$/.test(word);
}
