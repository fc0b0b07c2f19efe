// The command line: options, help and exit statuses. It decides nothing else; what a command does is in lab/, which is loaded
// when the command runs. Only this file ends the process.

import { startupSnapshot } from 'node:v8';
import yargs, { type Argv } from 'yargs';
import { Chosen, commands } from './commands.ts';
import { restoreEnvironment } from './environment.ts';
import { statusOf } from './run-status.ts';
import { separateCommand } from './run-words.ts';
import { type Typed, usageError } from './usage.ts';
import { version } from './version.ts';

/** Everything about the command line that does not depend on this run, so that a startup snapshot can hold it. */
function makeProgram(): Argv {
  const program = yargs([]);
  return program
    .scriptName('nslab')
    .usage('$0 COMMAND\n\nBuild a network on one Linux machine from one YAML file.')
    .command(commands)
    .demandCommand(1, 'a command is missing')
    .strict()
    .version(version)
    .alias('h', 'help')
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message, error) => {
      // YError is yargs' own; anything else was thrown by code of ours.
      throw error === undefined || error.name === 'YError'
        ? usageError(message ?? error.message, typed(words(), program))
        : error;
    })
    .example('$0 up topologies/two-namespaces.yaml', 'make the lab')
    .example('$0 exec test_ns ping -c 3 10.1.1.2', 'run a command in a node')
    .example('$0 down', 'leave the machine as it was')
    .epilogue('nslab explain CODE tells more about an error code.');
}

/** What was typed after `nslab`. */
function words(): readonly string[] {
  return process.argv.slice(2);
}

/** What yargs knows of the command that it was parsing when it refused the line. */
function typed(argv: readonly string[], parser: unknown): Typed {
  const { key, alias } = (parser as { getOptions(): KnownOptions }).getOptions();
  return {
    argv,
    forms: commands.map(({ command, aliases }) => ({
      words: String(command),
      aliases: [aliases ?? []].flat(),
    })),
    options: [...Object.keys(key), ...Object.values(alias).flat()],
  };
}

/** The part of yargs' own options that its types leave out. */
type KnownOptions = {
  readonly key: Readonly<Record<string, unknown>>;
  readonly alias: Readonly<Record<string, readonly string[]>>;
};

/**
 * What the command line asks for; undefined after `--help` and `--version`, which have been answered by then. A program parses
 * once: a command leaves yargs by throwing.
 */
async function parse(program: Argv, argv: readonly string[], columns = 80): Promise<Chosen | undefined> {
  try {
    await program.wrap(Math.min(110, columns)).parseAsync([...argv]);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Chosen) return thrown;
    throw thrown;
  }
}

async function main(program: Argv): Promise<void> {
  restoreEnvironment();
  try {
    const chosen = await parse(program, separateCommand(words()), process.stdout.columns);
    await chosen?.run();
  } catch (error) {
    const { printFailure } = await import('./output/failure.ts');
    process.exitCode = statusOf(words(), error, printFailure(error));
  }
  await printed();
  // Else Node would take its whole heap apart first, 15 to 25 ms.
  process.exit();
}

/** Of what is written to a pipe, the part that does not fit into it waits in this process; process.exit() would drop it. */
async function printed(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write('', () => resolve()));
  }
}

/** The program is made, and everything it needs has run once, before the snapshot is taken. */
async function takeSnapshot(): Promise<void> {
  const { warmUp } = await import('./snapshot.ts');
  await warmUp((argv) => parse(makeProgram(), argv));
  const program = makeProgram();
  startupSnapshot.setDeserializeMainFunction(() => void main(program));
}

// No top-level await: the bundle is a script, because only a script can be in a startup snapshot.
void (startupSnapshot.isBuildingSnapshot() ? takeSnapshot() : main(makeProgram()));
