import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

interface Word {
  readonly word: string;
  readonly about: string;
}

interface Completed {
  /** `kit export`, or empty for the program itself. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
}

/** Undefined for a shell that we do not know. Made from the commands themselves, so that it never tells of others. */
export function completionScript(shell: string, program: Command): string | undefined {
  const all = completed(program, '');
  if (shell === 'bash') return bash(all);
  if (shell === 'zsh') return zsh(all);
  return shell === 'fish' ? fish(all) : undefined;
}

function completed(command: Command, path: string): Completed[] {
  const commands = command.commands.map((each) => ({ word: each.name(), about: about(each.description()) }));
  const options = command.options.flatMap(({ long, short, description }) =>
    [long, short].filter((word) => word != null).map((word) => ({ word, about: about(description) })),
  );
  const own = { path, commands, options: [...options, { word: '--help', about: 'help' }] };
  return [own, ...command.commands.flatMap((each) => completed(each, path === '' ? each.name() : `${path} ${each.name()}`))];
}

/** Without what a shell would give a meaning. */
function about(description: string): string {
  return description.replaceAll(/[^\p{L}\p{N} .,;()/…-]/gu, ' ').replaceAll(/ +/gu, ' ');
}

function words(all: readonly Word[]): string {
  return all.map(({ word }) => word).join(' ');
}

/** The words so far, without options, choose what can follow; where nothing of ours can, it is a file. */
function bash(all: readonly Completed[]): string {
  const cases = all.map(
    ({ path, commands, options }) => `    '${path}') commands='${words(commands)}'; options='${words(options)}' ;;\n`,
  );
  return `# bash completion of dcloud: source <(dcloud completion bash)
_dcloud() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' word commands='' options=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) case "$path" in '' | ${groups(all).join(' | ')}) path="\${path:+$path }$word" ;; esac ;; esac
  done
  case "$path" in
${cases.join('')}  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) if [ -n "$commands" ]; then COMPREPLY=($(compgen -W "$commands" -- "$current")); else COMPREPLY=(); fi ;;
  esac
}
complete -o default -o bashdefault -F _dcloud dcloud
`;
}

function zsh(all: readonly Completed[]): string {
  const described = (each: readonly Word[]): string => each.map((word) => `'${word.word}:${word.about}'`).join(' ');
  const cases = all.map(
    ({ path, commands, options }) => `    '${path}') commands=(${described(commands)}); options=(${described(options)}) ;;\n`,
  );
  return `#compdef dcloud
# zsh completion of dcloud: source <(dcloud completion zsh), after compinit
_dcloud() {
  local command_path='' word
  local -a commands options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in -*) ;; *) case "$command_path" in '' | ${groups(all).join(' | ')}) command_path="\${command_path:+$command_path }$word" ;; esac ;; esac
  done
  case "$command_path" in
${cases.join('')}  esac
  if [[ "$PREFIX" == -* ]]; then _describe 'option' options
  elif (( \${#commands} )); then _describe 'command' commands
  else _files; fi
}
compdef _dcloud dcloud
`;
}

function fish(all: readonly Completed[]): string {
  const lines = all.flatMap(({ path, commands, options }) => {
    const condition = `-n '__dcloud_path "${path}"'`;
    return [
      ...commands.map(({ word, about: told }) => `complete -c dcloud -f ${condition} -a '${word}' -d '${told}'`),
      ...options.map(({ word, about: told }) => `complete -c dcloud ${condition} ${fishOption(word)} -d '${told}'`),
    ];
  });
  return `# fish completion of dcloud: dcloud completion fish | source
function __dcloud_path
  set -l path ''
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and continue
    contains -- "$path" '' ${groups(all).join(' ')}; and set path (string trim -- "$path $word")
  end
  test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
}

function fishOption(word: string): string {
  return word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`;
}

/** Words behind which another command follows. */
function groups(all: readonly Completed[]): string[] {
  return all.filter(({ path, commands }) => path !== '' && commands.length > 0).map(({ path }) => `'${path}'`);
}
