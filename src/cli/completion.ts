// The scripts of `nslab completion`: what is known of commands and options stands in them, and what depends on the machine (labs,
// nodes, images) is asked of `nslab _words`, which the helper answers without Node (src/helper/words.c). A shell asks at every TAB.
// Manuals: bash(1) "Programmable Completion", zshcompsys(1), complete(1) of fish.

import { kindOfOption, kindOfPositional } from './completion-kinds.ts';
import { type CommandDefinition, commonOptions, type OptionDefinition, spellings } from './definitions.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

export function completionScript(shell: Shell, commands: readonly CommandDefinition[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(commands);
    case 'zsh':
      return zshScript(commands);
    case 'fish':
      return fishScript(commands);
  }
}

function takesValue({ type }: OptionDefinition): boolean {
  return type !== 'boolean';
}

function optionsOf(command: CommandDefinition): OptionDefinition[] {
  return [...command.options, ...commonOptions];
}

/** In single quotes, for all three shells: none of the texts has a control character. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The names of a command, by which a `case` finds it; of `image ls` only the second word. */
function namesOf({ name, aliases }: CommandDefinition): string[] {
  return [name.split(' ').at(-1) ?? name, ...aliases];
}

function typedNames(commands: readonly CommandDefinition[]): string {
  return commands.flatMap(namesOf).join(' ');
}

/** The branches of a command, and of those that it is the first word of. */
function bashCase(command: CommandDefinition, labels: readonly string[] = namesOf(command)): string {
  const { commands, positionals } = command;
  const pattern = labels.map((label) => (label.includes(' ') ? `"${label}"` : label)).join('|');
  if (commands.length > 0) {
    const nested = commands.map((one) =>
      bashCase(
        one,
        labels.flatMap((first) => namesOf(one).map((second) => `${first} ${second}`)),
      ),
    );
    return [`    ${pattern}) subcommands=${quote(typedNames(commands))} ;;`, ...nested].join('\n');
  }
  const options = optionsOf(command);
  const valued = options
    .filter(takesValue)
    .flatMap((one) => spellings(one).map((word) => `${word}=${kindOfOption(one)}`));
  const kinds = positionals.map((one) => `${kindOfPositional(command, one)}${one.variadic ? '+' : ''}`);
  return [
    `    ${pattern})`,
    `      options=${quote(options.flatMap(spellings).join(' '))}`,
    `      valued=${quote(valued.join(' '))}`,
    `      kinds=${quote(kinds.join(' '))}`,
    '      ;;',
  ].join('\n');
}

function bashScript(commands: readonly CommandDefinition[]): string {
  return `# bash completion of nslab. To have it in every shell: nslab completion bash > /etc/bash_completion.d/nslab
_nslab_of_kind() {
  local kind=$1 cur=$2
  case $kind in
    labs|nodes|containers|images) compgen -W "$("$nslab" _words "$kind" $lab 2>/dev/null)" -- "$cur" ;;
    labs-or-containers) compgen -W "$("$nslab" _words labs 2>/dev/null; "$nslab" _words containers 2>/dev/null)" -- "$cur" ;;
    interfaces)
      if [[ $cur == *:* ]]; then compgen -W "$("$nslab" _words interfaces "\${cur%%:*}" $lab 2>/dev/null)" -P "\${cur%%:*}:" -- "\${cur#*:}"
      else compgen -W "$("$nslab" _words nodes $lab 2>/dev/null)" -S : -- "$cur"; fi ;;
    copy)
      compgen -f -- "$cur"
      [[ $cur == *[:/]* ]] || compgen -W "$("$nslab" _words containers $lab 2>/dev/null)" -S : -- "$cur" ;;
    topologies) compgen -f -X '!*.@(yaml|yml|json)' -- "$cur"; compgen -d -S / -- "$cur" ;;
    files) compgen -f -- "$cur" ;;
    commands) compgen -c -- "$cur" ;;
    shells) compgen -W '${shells.join(' ')}' -- "$cur" ;;
    choice:*) local choices=\${kind#choice:}; compgen -W "\${choices//|/ }" -- "$cur" ;;
  esac
}

_nslab() {
  local IFS=$' \\t\\n' nslab=\${COMP_WORDS[0]} lab= line=\${COMP_LINE:0:COMP_POINT}
  # Not COMP_WORDS: it is cut at colons and equal signs.
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  local cur=\${words[-1]} command=\${words[1]} first=2 subcommands= options= valued= kinds=
  shopt -q extglob || { shopt -s extglob; trap 'shopt -u extglob; trap - RETURN' RETURN; }
  if ((\${#words[@]} <= 2)); then
    COMPREPLY=($(compgen -W '${typedNames(commands)} --help --version' -- "$cur"))
    return
  fi
  _nslab_define "$command"
  if [[ -n $subcommands ]]; then
    if ((\${#words[@]} == 3)); then
      COMPREPLY=($(compgen -W "$subcommands" -- "$cur"))
      return
    fi
    subcommands= first=3
    _nslab_define "$command \${words[2]}"
  fi
  # Which positional the last word is, and whether it is the value of the option before it.
  local index word option= position=0 kind=none literal=
  for ((index = first; index < \${#words[@]} - 1; index++)); do
    word=\${words[index]}
    if [[ -n $option ]]; then
      [[ $option == --lab ]] && lab=$word
      option=
    elif [[ $word == -- ]]; then literal=1
    elif [[ -z $literal && $word == -* ]]; then
      [[ $word == --lab=* ]] && lab=\${word#*=}
      [[ " $valued " == *" $word="* ]] && option=$word
    else
      ((position++))
      # What follows the command of exec or run is the command's.
      [[ $command == @(exec|run|create) && $position -ge 1 ]] && literal=1
    fi
  done
  local -a list=($kinds)
  if [[ -n $option ]]; then
    kind=" $valued "
    kind=\${kind#*" $option="}
    kind=\${kind%% *}
  elif [[ -z $literal && $cur == --*=* ]]; then
    kind=" $valued "
    if [[ $kind == *" \${cur%%=*}="* ]]; then kind=\${kind#*" \${cur%%=*}="}; kind=\${kind%% *}; else kind=none; fi
    COMPREPLY=($(_nslab_of_kind "$kind" "\${cur#*=}"))
    return
  elif [[ -z $literal && $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
    return
  elif ((position < \${#list[@]})); then kind=\${list[position]%+}
  elif ((\${#list[@]} > 0)) && [[ \${list[-1]} == *+ ]]; then
    kind=\${list[-1]%+}
    # Only the first word of a command is one.
    [[ $command == exec || $command == run || $command == create ]] && kind=files
  fi
  [[ $kind == topologies || $kind == files || $kind == copy ]] && compopt -o filenames 2>/dev/null
  [[ $kind == interfaces || $kind == copy ]] && compopt -o nospace 2>/dev/null
  COMPREPLY=($(_nslab_of_kind "$kind" "$cur"))
  # bash replaces only what follows the last colon.
  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local before=\${cur%"\${cur##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$before"}")
  fi
}

_nslab_define() {
  case $1 in
${commands.map((one) => bashCase(one)).join('\n')}
  esac
}

complete -F _nslab nslab
`;
}

const zshActions: Readonly<Record<string, string>> = {
  labs: '_nslab_words labs',
  nodes: '_nslab_words nodes',
  containers: '_nslab_words containers',
  images: '_nslab_words images',
  'labs-or-containers': '_nslab_either',
  interfaces: '_nslab_interfaces',
  copy: '_nslab_copy',
  topologies: '_files -g "*.(yaml|yml|json)(-.)"',
  files: '_files',
  commands: '_command_names -e',
  shells: `(${shells.join(' ')})`,
  none: ' ',
};

function zshAction(kind: string): string {
  if (kind.startsWith('choice:')) return `(${kind.slice('choice:'.length).replaceAll('|', ' ')})`;
  return zshActions[kind] ?? ' ';
}

/** Brackets and colons have a meaning in a specification of _arguments. */
function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&');
}

function zshSpecifications(command: CommandDefinition): string[] {
  const specifications = optionsOf(command).flatMap((one) => {
    const value = takesValue(one) ? `:${one.name}:${zshAction(kindOfOption(one))}` : '';
    const many = one.array ? '*' : '';
    return spellings(one).map((word) => quote(`${many}${word}[${zshText(one.describe)}]${value}`));
  });
  const positionals = command.positionals.map((one, index) => {
    const action = zshAction(kindOfPositional(command, one));
    if (!one.variadic) return quote(`${index + 1}${one.required ? ':' : '::'}${one.name}:${action}`);
    return command.name === 'exec' ? quote('*::command:_normal') : quote(`*:${one.name}:${action}`);
  });
  return [...specifications, ...positionals];
}

function zshCase(command: CommandDefinition): string {
  if (command.commands.length > 0) {
    return [
      `        ${namesOf(command).join('|')})`,
      '          _arguments -C "1: :->verb" "*:: :->words"',
      '          case $state in',
      `            verb) _values verb ${command.commands.map((one) => quote(`${namesOf(one)[0]}[${zshText(one.describe)}]`)).join(' ')} ;;`,
      '            words) case $words[1] in',
      ...command.commands.map((one) => zshCase(one)),
      '            esac ;;',
      '          esac ;;',
    ].join('\n');
  }
  return `        ${namesOf(command).join('|')}) _arguments -S ${zshSpecifications(command).join(' ')} ;;`;
}

function zshScript(commands: readonly CommandDefinition[]): string {
  const list = commands.flatMap((one) =>
    namesOf(one).map((name) => quote(`${name}:${one.describe.replaceAll(':', '\\:')}`)),
  );
  return `#compdef nslab
# zsh completion of nslab: nslab completion zsh > a file _nslab in a folder of $fpath.
_nslab_lab() { local at=\${words[(i)--lab]}; (( at < $#words )) && print -r -- $words[at+1] }
# _arguments puts what compadd is to be told before the word that an action has.
_nslab_words() { local -a found=(\${(f)"$($nslab _words \${@[-1]} $(_nslab_lab) 2>/dev/null)"}); compadd "\${@[1,-2]}" -a found }
_nslab_either() { local -a found=(\${(f)"$($nslab _words labs 2>/dev/null; $nslab _words containers 2>/dev/null)"}); compadd -a found }
_nslab_interfaces() {
  local -a found
  if compset -P '*:'; then found=(\${(f)"$($nslab _words interfaces \${IPREFIX%:} $(_nslab_lab) 2>/dev/null)"}); compadd -a found
  else found=(\${(f)"$($nslab _words nodes $(_nslab_lab) 2>/dev/null)"}); compadd -S : -a found; fi
}
_nslab_copy() {
  local -a found=(\${(f)"$($nslab _words containers $(_nslab_lab) 2>/dev/null)"})
  compadd -S : -a found
  _files
}
_nslab() {
  local curcontext="$curcontext" state line nslab=$words[1]
  _arguments -C '1: :->command' '*:: :->rest'
  case $state in
    command)
      local -a list=(${list.join(' ')})
      _describe command list ;;
    rest)
      case $words[1] in
${commands.map(zshCase).join('\n')}
      esac ;;
  esac
}
if [ "$funcstack[1]" = _nslab ]; then _nslab "$@"; else compdef _nslab nslab; fi
`;
}

const fishWords: Readonly<Record<string, string>> = {
  labs: '(__nslab_words labs)',
  nodes: '(__nslab_words nodes)',
  containers: '(__nslab_words containers)',
  images: '(__nslab_words images)',
  'labs-or-containers': '(__nslab_words labs; __nslab_words containers)',
  interfaces: '(__nslab_interfaces)',
  copy: '(__fish_complete_path; __nslab_words containers | string replace -r "\\$" ":")',
  topologies: '(__fish_complete_path)',
  files: '(__fish_complete_path)',
  commands: '(__fish_complete_command)',
  shells: shells.join(' '),
};

function fishCommand(command: CommandDefinition, parent: CommandDefinition | undefined): string[] {
  const seen =
    parent === undefined
      ? `__nslab_is ${namesOf(command).join(' ')}`
      : `__nslab_is ${namesOf(parent).join(' ')}; and __fish_seen_subcommand_from ${namesOf(command)[0]}`;
  const options = optionsOf(command).map((one) => {
    const words = [one.name, ...one.aliases].map((word) => (word.length === 1 ? `-s ${word}` : `-l ${word}`));
    const kind = kindOfOption(one);
    const values = kind.startsWith('choice:')
      ? kind.slice('choice:'.length).replaceAll('|', ' ')
      : fishWords[kind];
    const value = takesValue(one) ? ` -x${values === undefined ? '' : ` -a ${quote(values)}`}` : '';
    return `complete -c nslab -n ${quote(seen)} ${words.join(' ')}${value} -d ${quote(one.describe)}`;
  });
  const valued = optionsOf(command).filter(takesValue).flatMap(spellings).join(' ');
  const before = parent === undefined ? 0 : 1;
  const words = command.positionals.flatMap((one, index) => {
    const offered = fishWords[kindOfPositional(command, one)];
    if (offered === undefined) return [];
    const at = `__nslab_at ${index + before}${one.variadic ? '+' : ''} ${valued}`;
    return `complete -c nslab -n ${quote(`${seen}; and ${at}`)} -a ${quote(offered)}`;
  });
  return [...options, ...words];
}

function fishScript(commands: readonly CommandDefinition[]): string {
  const lines = commands.flatMap((command) => [
    ...namesOf(command).map(
      (name) => `complete -c nslab -n __fish_use_subcommand -a ${name} -d ${quote(command.describe)}`,
    ),
    ...(command.commands.length > 0
      ? command.commands.flatMap((one) => [
          `complete -c nslab -n ${quote(`__nslab_is ${namesOf(command).join(' ')}; and __nslab_at 0`)} -a ${namesOf(one)[0]} -d ${quote(one.describe)}`,
          ...fishCommand(one, command),
        ])
      : fishCommand(command, undefined)),
  ]);
  return `# fish completion of nslab: nslab completion fish > ~/.config/fish/completions/nslab.fish
function __nslab_is
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end
# Whether the word that is typed is the N-th that is no option, or with N+ a later one; then the options that take a value.
function __nslab_at
    set -l words (commandline -opc)
    set -l position 0
    set -l skip 0
    for word in $words[3..-1]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- $word $argv[2..-1]; and set skip 1
        else
            set position (math $position + 1)
        end
    end
    if string match -q '*+' -- $argv[1]
        test $position -ge (string replace + '' -- $argv[1])
    else
        test $position -eq $argv[1]
    end
end
function __nslab_lab
    set -l words (commandline -opc)
    set -l at (contains -i -- --lab $words); and echo $words[(math $at + 1)]
end
function __nslab_words
    nslab _words $argv (__nslab_lab) 2>/dev/null
end
function __nslab_interfaces
    set -l word (commandline -ct)
    if string match -q '*:*' -- $word
        set -l node (string split -m 1 : -- $word)[1]
        nslab _words interfaces $node (__nslab_lab) 2>/dev/null | string replace -r '^' "$node:"
    else
        __nslab_words nodes | string replace -r '$' ':'
    end
end
complete -c nslab -f
${lines.join('\n')}
`;
}
