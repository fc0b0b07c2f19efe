// `-` for standard input or output where a file is named.

/** yargs reads a positional `-` as an option without a name, and makes it an empty text. */
export function fileArgument(file: string): string {
  return file === '' && process.argv.includes('-') ? '-' : file;
}
