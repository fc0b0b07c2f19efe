// The command line: options, help and exit statuses. It decides nothing else; what a command does is in lab/, which is loaded
// when the command runs. Only this file ends the process, by setting its exit status.

import yargs from 'yargs';
import { NslabError } from '../base/error.ts';
import { commands } from './commands.ts';
import { printFailure } from './output/failure.ts';
import { version } from './version.ts';

function program(argv: readonly string[]) {
  return yargs([...argv])
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
      throw error ?? new NslabError('USAGE', firstLine(message), { hint: 'nslab --help lists the commands' });
    })
    .wrap(Math.min(110, process.stdout.columns ?? 80))
    .example('$0 up topologies/two-namespaces.yaml', 'make the lab')
    .example('$0 exec test_ns ping -c 3 10.1.1.2', 'run a command in a node')
    .example('$0 down', 'leave the machine as it was')
    .epilogue('nslab explain CODE tells more about an error code.');
}

function firstLine(message: string): string {
  return message.split('\n').join(' ').trim();
}

try {
  await program(process.argv.slice(2)).parseAsync();
} catch (error) {
  process.exitCode = printFailure(error);
}
