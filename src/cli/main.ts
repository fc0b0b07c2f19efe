// The command line: options, help and exit statuses. It decides nothing else; what a command does is in lab/, which is loaded
// when the command runs. Only this file ends the process, by setting its exit status.

import { startupSnapshot } from 'node:v8';
import yargs, { type Argv } from 'yargs';
import { NslabError } from '../base/error.ts';
import { Chosen, commands } from './commands.ts';
import { version } from './version.ts';

/** Everything about the command line that does not depend on this run, so that a startup snapshot can hold it. */
function makeProgram(): Argv {
  return yargs([])
    .scriptName('nslab')
    .usage('$0 COMMAND\n\nBuild a network on one Linux machine from one YAML file.')
    .command(commands)
    .demandCommand(1, 'a command is missing')
    .recommendCommands()
    .strict()
    .version(version)
    .alias('h', 'help')
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message, error) => {
      // YError is yargs' own; anything else was thrown by code of ours.
      throw error === undefined || error.name === 'YError'
        ? usageError(message ?? error.message, words())
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

/** yargs' own words, but for those that name neither what was wrong nor what to do. */
function usageError(message: string, argv: readonly string[]): NslabError {
  const [command = ''] = argv;
  const known = commands.some(({ command: form }) => String(form).split(' ', 1)[0] === command);
  const help = known ? `nslab ${command} --help` : 'nslab --help';
  const meant = /^Did you mean (.*)\?$/.exec(message)?.[1];
  if (meant !== undefined) {
    return new NslabError('USAGE', `there is no command ${command}`, {
      hint: `did you mean nslab ${meant}?`,
    });
  }
  if (message.startsWith('Not enough non-option')) {
    const form = commands
      .map(({ command: words }) => String(words))
      .find((words) => words.startsWith(`${command} `));
    return new NslabError('USAGE', `something is missing: nslab ${form ?? 'COMMAND'}`, { hint: help });
  }
  if (message === `Unknown argument: ${command}` || message === `Unknown command: ${command}`) {
    return new NslabError('USAGE', `there is no command ${command}`, { hint: `${help} lists them` });
  }
  return new NslabError('USAGE', message.replaceAll('\n', ' ').trim(), { hint: help });
}

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
  try {
    const chosen = await parse(program, words(), process.stdout.columns);
    await chosen?.run();
  } catch (error) {
    const { printFailure } = await import('./output/failure.ts');
    process.exitCode = printFailure(error);
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
