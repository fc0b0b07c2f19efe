// The commands as data: words, options and examples, read off their own declarations, so that completion and the manual page say
// what the commands say. A recorder stands in for yargs, whose own tables are private.

import type { Argv, CommandModule } from 'yargs';

export type OptionDefinition = {
  /** Without dashes. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: 'string' | 'number' | 'boolean';
  readonly array: boolean;
  readonly choices: readonly string[];
  readonly describe: string;
  readonly default: unknown;
};

export type PositionalDefinition = {
  readonly name: string;
  readonly required: boolean;
  readonly variadic: boolean;
  readonly describe: string;
};

export type CommandDefinition = {
  /** `up`, `image ls`. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly describe: string;
  readonly positionals: readonly PositionalDefinition[];
  readonly options: readonly OptionDefinition[];
  /** Command line without `nslab`, and what it does. */
  readonly examples: readonly (readonly [line: string, describe: string])[];
  readonly epilogue: string | undefined;
  /** Where the command is only the first of two words. */
  readonly commands: readonly CommandDefinition[];
};

type Settings = {
  readonly alias?: string | readonly string[];
  readonly type?: 'string' | 'number' | 'boolean';
  readonly array?: boolean;
  readonly choices?: readonly string[];
  readonly describe?: string;
  readonly default?: unknown;
};

/** The calls of yargs that a declaration uses. */
class Recorder {
  readonly options_ = new Map<string, Settings>();
  readonly positionals_ = new Map<string, Settings>();
  readonly examples_: (readonly [string, string])[] = [];
  readonly commands_: CommandModule[] = [];
  epilogue_: string | undefined;

  positional(name: string, settings: Settings): this {
    this.positionals_.set(name, settings);
    return this;
  }

  option(name: string, settings: Settings): this {
    this.options_.set(name, settings);
    return this;
  }

  options(all: Readonly<Record<string, Settings>>): this {
    for (const [name, settings] of Object.entries(all)) this.option(name, settings);
    return this;
  }

  example(line: string, describe: string): this {
    this.examples_.push([line.replaceAll('$0', 'nslab'), describe]);
    return this;
  }

  epilogue(text: string): this {
    this.epilogue_ = text;
    return this;
  }

  command(module: CommandModule): this {
    this.commands_.push(module);
    return this;
  }

  demandCommand(): this {
    return this;
  }
}

/** What the modules declare; those that are for nslab itself (`describe: false`) are left out. */
export function definitionsOf(modules: readonly CommandModule[], prefix = ''): CommandDefinition[] {
  return modules
    .filter(({ describe }) => describe !== false)
    .map((module) => {
      const recorder = new Recorder();
      const { builder } = module;
      if (typeof builder === 'function') builder(recorder as unknown as Argv);
      const [first = '', ...words] = String(module.command).split(' ');
      const name = `${prefix}${first}`;
      return {
        name,
        aliases: [module.aliases ?? []].flat(),
        describe: String(module.describe),
        positionals: recorder.commands_.length > 0 ? [] : words.map((word) => positional(word, recorder)),
        options: [...recorder.options_].map(([option, settings]) => optionOf(option, settings)),
        examples: recorder.examples_,
        epilogue: recorder.epilogue_,
        commands: definitionsOf(recorder.commands_, `${name} `),
      };
    });
}

/** `<file>`, `[lab]`, `<command..>`. */
function positional(word: string, recorder: Recorder): PositionalDefinition {
  const name = word.replace(/^[<[]|\.*[>\]]$/g, '').replace(/\.+$/, '');
  return {
    name,
    required: word.startsWith('<'),
    variadic: /\.\.[>\]]$/.test(word),
    describe: recorder.positionals_.get(name)?.describe ?? '',
  };
}

function optionOf(name: string, settings: Settings): OptionDefinition {
  return {
    name,
    aliases: [settings.alias ?? []].flat() as string[],
    type: settings.type ?? 'string',
    array: settings.array === true,
    choices: settings.choices ?? [],
    describe: settings.describe ?? '',
    default: settings.default,
  };
}

/** Options that every command has. */
export const commonOptions: readonly OptionDefinition[] = [
  {
    name: 'help',
    aliases: ['h'],
    type: 'boolean',
    array: false,
    choices: [],
    describe: 'show what the command takes',
    default: undefined,
  },
  {
    name: 'version',
    aliases: [],
    type: 'boolean',
    array: false,
    choices: [],
    describe: 'print the version',
    default: undefined,
  },
];

/** Each command that can be typed, those of two words among them. */
export function flatten(definitions: readonly CommandDefinition[]): CommandDefinition[] {
  return definitions.flatMap((one) => [one, ...flatten(one.commands)]);
}

/** `--wait-timeout` and `-v` of an option. */
export function spellings({ name, aliases }: OptionDefinition): string[] {
  return [name, ...aliases].map((word) => (word.length === 1 ? `-${word}` : `--${word}`));
}
