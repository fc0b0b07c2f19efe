// Colour only where a person looks, and not where they said no: https://no-color.org.

/** True when the stream is a terminal and NO_COLOR is unset or empty. */
export function useColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
}
