// A status that is not the hoped for one, as a Fault: whether another try makes sense, when, and the registry's own words for it
// (distribution-spec, "Error Codes").

import { Fault } from './fault.ts';
import { type HttpResponse, readAll } from './http.ts';

const transientStatuses = [408, 425, 429, 500, 502, 503, 504];
/** Of an error document, and of the words in it that are shown. */
const MOST_BYTES = 64 << 10;
const MOST_WORDS = 200;

export type StatusContext = {
  /** What answered, or for what: `the manifest`. */
  readonly what: string;
  readonly documentMs: number;
  readonly hint?: string | undefined;
};

/** Reads the rest of the answer, for its words. */
export async function statusFault(response: HttpResponse, context: StatusContext): Promise<Fault> {
  const { status } = response;
  const words = await wordsOf(response, context.documentMs);
  const said = words === undefined ? '' : ` (${words})`;
  return new Fault('status', `${context.what}: ${meaning(status)}${said}`, {
    status,
    transient: transientStatuses.includes(status),
    waitMs: retryAfter(response.header('retry-after'), Date.now()),
    hint: context.hint,
  });
}

function meaning(status: number): string {
  switch (status) {
    case 401:
      return 'a name and a password that it knows are needed';
    case 403:
      return 'this is not allowed';
    case 404:
      return 'it is not there';
    case 429:
      return 'too many requests';
    default:
      return `it answered with status ${status}`;
  }
}

/** Seconds or a date (RFC 9110 10.2.3), as milliseconds from now. */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^[0-9]{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** `{"errors":[{"code":"DENIED","message":"..."}]}`, or `{"details":"..."}` of some token servers. */
async function wordsOf(response: HttpResponse, deadlineMs: number): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readAll(response, { max: MOST_BYTES, deadlineMs })).toString('utf8');
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
  try {
    const { errors, details } = JSON.parse(text) as Record<string, unknown>;
    const [first] = Array.isArray(errors) ? (errors as Record<string, unknown>[]) : [];
    const words = first?.['message'] ?? first?.['code'] ?? details;
    return typeof words === 'string' && words !== '' ? words.slice(0, MOST_WORDS) : undefined;
  } catch {
    // A page for browsers: it is long and says nothing.
    return undefined;
  }
}
