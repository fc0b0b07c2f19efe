// A text as the words that a shell would make of it: blanks separate, quotes and the backslash keep together (POSIX shell,
// "Quoting"). Nothing is expanded, and what only a shell can do is refused, because it would be lost without a word.

import { err, ok, type Result } from './result.ts';

/** The error is a half sentence that follows the text. */
export function shellWords(text: string): Result<string[]> {
  return new Splitter(text).words();
}

class Splitter {
  private readonly text: string;
  private at = 0;
  private readonly found: string[] = [];
  /** The word that is being read; quotes make one of nothing. */
  private word: string | undefined;

  constructor(text: string) {
    this.text = text;
  }

  words(): Result<string[]> {
    while (this.at < this.text.length) {
      const problem = this.step(this.text.charAt(this.at++));
      if (problem !== undefined) return err(problem);
    }
    this.endWord();
    return ok(this.found);
  }

  private step(char: string): string | undefined {
    switch (char) {
      case ' ':
      case '\t':
      case '\n':
      case '\r':
        this.endWord();
        return undefined;
      case "'":
        return this.singleQuoted();
      case '"':
        return this.doubleQuoted();
      case '\\':
        return this.escaped();
      case ';':
      case '&':
      case '|':
      case '<':
      case '>':
      case '(':
      case ')':
      case '`':
        return `has ${JSON.stringify(char)}, which only a shell understands`;
      default:
        this.add(char);
        return undefined;
    }
  }

  private add(text: string): void {
    this.word = (this.word ?? '') + text;
  }

  private endWord(): void {
    if (this.word !== undefined) this.found.push(this.word);
    this.word = undefined;
  }

  private singleQuoted(): string | undefined {
    const end = this.text.indexOf("'", this.at);
    if (end < 0) return 'has a quote that never ends';
    this.add(this.text.slice(this.at, end));
    this.at = end + 1;
    return undefined;
  }

  /** In double quotes a backslash is itself, but before `$`, a backquote, a double quote, a backslash and the end of a line. */
  private doubleQuoted(): string | undefined {
    this.add('');
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at++);
      if (char === '"') return undefined;
      const next = this.text.charAt(this.at);
      if (char === '\\' && next !== '' && '$`"\\\n'.includes(next)) {
        this.at++;
        if (next !== '\n') this.add(next);
      } else this.add(char);
    }
    return 'has a quote that never ends';
  }

  private escaped(): string | undefined {
    if (this.at >= this.text.length) return 'ends with a backslash';
    const char = this.text.charAt(this.at++);
    if (char !== '\n') this.add(char);
    return undefined;
  }
}
