// Numbers with a unit, as tc(8) ("PARAMETERS": rates, times, sizes) and Docker Compose write them. A bare number is never
// guessed at: tc takes 10 as microseconds or as bits per second, and that was a source of wrong labs elsewhere.

import { err, ok, type Result } from './result.ts';

export type UnitProblem = {
  readonly code: 'UNIT_MISSING' | 'UNIT_INVALID' | 'VALUE_RANGE';
  readonly message: string;
  readonly hint: string;
};
type Read = Result<number, UnitProblem>;

type Quantity = {
  readonly name: string;
  readonly units: Readonly<Record<string, number>>;
  /** Units that come into the question for a bare number. */
  readonly suggest: readonly string[];
  readonly example: string;
};

/** Microseconds. */
const time: Quantity = {
  name: 'a time',
  units: {
    us: 1,
    usec: 1,
    usecs: 1,
    ms: 1e3,
    msec: 1e3,
    msecs: 1e3,
    s: 1e6,
    sec: 1e6,
    secs: 1e6,
    m: 60e6,
    min: 60e6,
    h: 3600e6,
  },
  suggest: ['ms', 's'],
  example: '20ms',
};

/** Bits per second; `bps` is bytes per second, as in tc. */
const rate: Quantity = {
  name: 'a rate',
  units: Object.fromEntries(
    [
      ['', 1],
      ['k', 1e3],
      ['ki', 1024],
      ['m', 1e6],
      ['mi', 1024 ** 2],
      ['g', 1e9],
      ['gi', 1024 ** 3],
      ['t', 1e12],
      ['ti', 1024 ** 4],
    ].flatMap(([prefix, factor]) => [
      [`${prefix}bit`, Number(factor)],
      [`${prefix}bps`, Number(factor) * 8],
    ]),
  ),
  suggest: ['mbit', 'kbit'],
  example: '10mbit',
};

/** Bytes, in powers of 1024 as Docker counts. */
const size: Quantity = {
  name: 'a size',
  units: Object.fromEntries(
    ['', 'k', 'm', 'g', 't'].flatMap((prefix, power) => [
      ...(prefix === '' ? [] : [[prefix, 1024 ** power]]),
      [`${prefix}b`, 1024 ** power],
      ...(prefix === '' ? [] : [[`${prefix}ib`, 1024 ** power]]),
    ]),
  ),
  suggest: ['MB', 'KB'],
  example: '64MB',
};

const percent: Quantity = { name: 'a probability', units: { '%': 0.01 }, suggest: ['%'], example: '1%' };

const number = '[0-9]+(?:\\.[0-9]+)?|\\.[0-9]+';
const one = new RegExp(`^(${number})\\s*([A-Za-z%]*)$`);
const several = new RegExp(`^(?:(?:${number})[A-Za-z]+)+$`);
const parts = new RegExp(`(${number})([A-Za-z]+)`, 'g');

function missing(text: string | number, quantity: Quantity): Read {
  return err({
    code: 'UNIT_MISSING',
    message: `${text} has no unit`,
    hint: `write ${quantity.suggest.map((unit) => `${text}${unit}`).join(' or ')}`,
  });
}

function invalid(text: string, quantity: Quantity): Read {
  return err({
    code: 'UNIT_INVALID',
    message: `${JSON.stringify(text)} is not ${quantity.name}`,
    hint: `write a number and a unit, as ${quantity.example}`,
  });
}

function read(value: string | number, quantity: Quantity): Read {
  if (typeof value === 'number') return missing(value, quantity);
  const match = one.exec(value.trim());
  if (match === null) return invalid(value, quantity);
  if (match[2] === '') return missing(value.trim(), quantity);
  const factor = unitFactor(quantity, match[2] ?? '');
  return factor === undefined ? invalid(value, quantity) : ok(Number(match[1]) * factor);
}

function unitFactor(quantity: Quantity, unit: string): number | undefined {
  const name = unit.toLowerCase();
  return Object.hasOwn(quantity.units, name) ? quantity.units[name] : undefined;
}

/** Microseconds, whole. `1m30s` as in Compose is understood. */
export function parseDuration(value: string | number): Read {
  if (typeof value === 'number' || !several.test(value.trim())) return whole(read(value, time));
  let total = 0;
  for (const [, amount, unit] of value.matchAll(parts)) {
    const factor = unitFactor(time, unit ?? '');
    if (factor === undefined) return invalid(value, time);
    total += Number(amount) * factor;
  }
  return ok(Math.round(total));
}

/** Bits per second, whole and more than none. */
export function parseRate(value: string | number): Read {
  const result = whole(read(value, rate));
  if (!result.ok || result.value > 0) return result;
  const message = 'a rate of 0 lets nothing through';
  return err({ code: 'VALUE_RANGE', message, hint: 'leave `rate` out for no limit' });
}

/** Bytes. */
export function parseSize(value: string | number): Read {
  return whole(read(value, size));
}

/** A probability from 0 to 1, written `1%`. */
export function parsePercent(value: string | number): Read {
  const result = read(value, percent);
  if (!result.ok || result.value <= 1) return result;
  return err({
    code: 'VALUE_RANGE',
    message: `${value} is more than 100%`,
    hint: 'a probability is 0% to 100%',
  });
}

function whole(result: Read): Read {
  return result.ok ? ok(Math.round(result.value)) : result;
}

/** A time in microseconds as tc prints it, `1.5ms`; what {@link parseDuration} reads. */
export function durationText(us: number): string {
  if (us === 0 || (us >= 1e6 && us % 1e3 === 0)) return `${us / 1e6}s`;
  return us >= 1e3 ? `${us / 1e3}ms` : `${us}us`;
}

/** Bits per second as tc prints them, `10mbit`; what {@link parseRate} reads. */
export function rateText(bits: number): string {
  const prefixes = ['', 'k', 'm', 'g', 't'];
  let power = 0;
  // Only where no digit is lost.
  while (power < 4 && bits % 1e3 ** (power + 1) === 0) power += 1;
  return `${bits / 1e3 ** power}${prefixes[power]}bit`;
}

/** A probability from 0 to 1 as `1%`; what {@link parsePercent} reads. */
export function percentText(probability: number): string {
  return `${decimal(probability * 100)}%`;
}

/** Digits that matter; netem keeps a probability in 32 bits. */
function decimal(value: number): string {
  return String(Number(value.toPrecision(7)));
}
