// The WWW-Authenticate header by which a registry says how it wants to be asked: RFC 9110 11.6.1 for its form, and the
// distribution project's "Token Authentication Specification" for what Bearer carries. Pure; what it reads is hostile.

/** One way of proving who asks. The scheme is in lower case, and so are the names of the parameters. */
export type Challenge = {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
};

/** Far more than any registry sends; a header is at most 16 KiB in any case. */
const MOST_CHALLENGES = 16;
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const blanks = /[ \t]*/y;

/**
 * All challenges of all WWW-Authenticate headers. What is not understood ends the header it is in, and what was read until then
 * counts: some registries send things that RFC 9110 does not know.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap(parseHeader).slice(0, MOST_CHALLENGES);
}

/** The repositories and actions that a Bearer challenge names, `repository:alpine:pull`; they are separated by blanks. */
export function scopesOf(challenge: Challenge): string[] {
  return (challenge.parameters.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
}

class Cursor {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** What the expression, which is sticky, matches here; it is passed over. */
  take(expression: RegExp): string | undefined {
    expression.lastIndex = this.at;
    const match = expression.exec(this.text)?.[0];
    if (match !== undefined) this.at += match.length;
    return match;
  }

  takeCharacter(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  skipBlanks(): void {
    this.take(blanks);
  }

  get ended(): boolean {
    return this.at >= this.text.length;
  }
}

function parseHeader(text: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  const cursor = new Cursor(text);
  while (!cursor.ended) {
    skipCommas(cursor);
    const name = cursor.take(token);
    if (name === undefined) break;
    cursor.skipBlanks();
    // `name =` is a parameter of the challenge before it, a name alone begins a new one.
    if (!cursor.takeCharacter('=')) {
      found.push({ scheme: name.toLowerCase(), parameters: new Map() });
      continue;
    }
    cursor.skipBlanks();
    const value = quoted(cursor) ?? cursor.take(token);
    const challenge = found.at(-1);
    if (value === undefined || challenge === undefined) break;
    const key = name.toLowerCase();
    // Said twice: the first counts, as for the readers of Go that registries are tested with; scopes add up.
    const before = challenge.parameters.get(key);
    if (before === undefined) challenge.parameters.set(key, value);
    else if (key === 'scope') challenge.parameters.set(key, `${before} ${value}`);
  }
  return found;
}

function skipCommas(cursor: Cursor): void {
  do cursor.skipBlanks();
  while (cursor.takeCharacter(','));
}

/** A quoted-string with its backslashes taken off; undefined where there is none, or it does not end. */
function quoted(cursor: Cursor): string | undefined {
  if (!cursor.takeCharacter('"')) return undefined;
  let value = '';
  while (!cursor.ended) {
    if (cursor.takeCharacter('"')) return value;
    cursor.takeCharacter('\\');
    value += cursor.text[cursor.at++] ?? '';
  }
  return undefined;
}
