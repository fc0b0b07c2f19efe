// The manual page, nslab(8), as roff: what the commands declare, and the few things that belong to all of them. man(7), groff_man(7).

import {
  type CommandDefinition,
  commonOptions,
  flatten,
  type OptionDefinition,
  spellings,
} from './definitions.ts';

/** A line of text: backslashes are roff's, and a dot or a quote at the start of a line is a request. */
function text(words: string): string {
  const escaped = words.replaceAll('\\', '\\e').replaceAll('-', '\\-');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** An argument of a macro: one word for roff whatever is in it. */
function argument(words: string): string {
  return `"${text(words).replaceAll('"', '\\(dq')}"`;
}

function synopsis({ name, positionals }: CommandDefinition): string {
  const words = positionals.map(({ name: word, required, variadic }) => {
    const many = `${word.toUpperCase()}${variadic ? '...' : ''}`;
    return required ? many : `[${many}]`;
  });
  return ['nslab', name, '[OPTIONS]', ...words].join(' ');
}

function optionLines(option: OptionDefinition): string[] {
  const value =
    option.type === 'boolean'
      ? ''
      : option.choices.length > 0
        ? ` ${option.choices.join('|')}`
        : ` ${option.type === 'number' ? 'N' : 'TEXT'}`;
  const known = option.default;
  const standard =
    known === undefined || known === false || known === true || Array.isArray(known)
      ? ''
      : ` (${String(known)} by default)`;
  const many = option.array ? '; may be given several times' : '';
  return [
    '.TP',
    `.B ${argument(`${spellings(option).join(', ')}${value}`)}`,
    text(`${option.describe}${standard}${many}`),
  ];
}

function commandLines(command: CommandDefinition): string[] {
  const { positionals, options, aliases, describe, examples, epilogue } = command;
  return [
    `.SS ${argument(synopsis(command))}`,
    text(`${describe}.`),
    ...(aliases.length === 0 ? [] : [text(`Also called ${aliases.join(', ')}.`)]),
    ...positionals
      .filter((one) => one.describe !== '')
      .flatMap((one) => ['.TP', `.I ${argument(one.name.toUpperCase())}`, text(one.describe)]),
    ...options.flatMap(optionLines),
    ...(epilogue === undefined ? [] : ['.PP', text(epilogue)]),
    ...examples.flatMap(([line, what]) => [
      '.PP',
      text(`${what}:`),
      '.PP',
      '.in +4n',
      '.EX',
      text(line),
      '.EE',
      '.in',
    ]),
  ];
}

const statuses: readonly (readonly [string, string])[] = [
  ['0', 'fine'],
  ['1', 'a mistake of nslab itself'],
  ['2', 'the command line is wrong'],
  ['3', 'the topology file is wrong'],
  ['4', 'the machine is not ready: not root, a module or a name is missing or taken'],
  ['5', 'a step failed and everything was undone'],
  ['6', 'something is left, or not all of what was asked for is up or healthy'],
  ['7', 'no such lab, or it is up already'],
  ['125, 126, 127', 'run and create failed themselves; a command cannot be run; there is none'],
  ['130', 'interrupted and undone'],
];

const files: readonly (readonly [string, string])[] = [
  ['/run/nslab', 'what is up'],
  ['/var/lib/nslab', 'images, volumes, files of containers'],
  ['/run/netns', "names of the nodes' network namespaces, for ip(8)"],
  ['/etc/nslab/registries.yaml', 'mirrors and certificates of registries'],
];

const variables: readonly (readonly [string, string])[] = [
  ['NO_COLOR', 'no colours, wherever it is set to something'],
  ['NODE_EXTRA_CA_CERTS, REGISTRY_AUTH_FILE', 'certificates and passwords for registries'],
];

function entries(list: readonly (readonly [string, string])[]): string[] {
  return list.flatMap(([what, means]) => ['.TP', `.B ${argument(what)}`, text(means)]);
}

export function manPage(commands: readonly CommandDefinition[], version: string): string {
  const all = flatten(commands).filter((one) => one.commands.length === 0);
  const lines = [
    `.TH NSLAB 8 "" ${argument(`nslab ${version}`)} "nslab"`,
    '.SH NAME',
    text('nslab - build a network on one Linux machine from one YAML file').replace(
      'nslab \\- ',
      'nslab \\- ',
    ),
    '.SH SYNOPSIS',
    '.B nslab',
    '.I COMMAND',
    '[\\fIOPTIONS\\fR] [\\fIWORDS\\fR]',
    '.SH DESCRIPTION',
    text(
      'nslab makes network namespaces, wires, bridges, addresses, routes, NAT, firewalls and containers as one topology file says, runs commands in them, and leaves the machine as it was. All it makes are ordinary kernel objects, which ip(8) and nft(8) show.',
    ),
    '.SH OPTIONS',
    ...commonOptions.flatMap(optionLines),
    '.SH COMMANDS',
    ...all.flatMap(commandLines),
    '.SH EXIT STATUS',
    ...entries(statuses),
    '.SH ENVIRONMENT',
    ...entries(variables),
    '.SH FILES',
    ...entries(files),
    '.SH SEE ALSO',
    '.BR ip (8),',
    '.BR ip\\-netns (8),',
    '.BR nft (8),',
    '.BR network_namespaces (7)',
  ];
  return `${lines.join('\n')}\n`;
}
