import { type Command, exitCodes, onlyOne, usageError } from "../command.ts";

type Script = (commands: readonly Command[]) => string;

const optionsOf = ({ options = {} }: Command) => [
  ...Object.keys(options).map((name) => `--${name}`),
  "--json",
  "--help",
];
const verbsOf = ({ usage }: Command) => /^([a-z]+(?:\|[a-z]+)+)/.exec(usage)?.[1]?.split("|") ?? [];
const wordsOf = (command: Command) => [...verbsOf(command), ...optionsOf(command)].join(" ");

const scripts: Record<string, Script> = {
  bash: (commands) => `_signalbox() {
  local word="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")}" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map((command) => `    ${command.name}) COMPREPLY=($(compgen -W "${wordsOf(command)}" -- "$word")) ;;`).join("\n")}
  esac
}
complete -F _signalbox signalbox`,
  zsh: (commands) => `#compdef signalbox
_signalbox() {
  if (( CURRENT == 2 )); then
    local -a names=(${commands.map(({ name, summary }) => quote(`${name}:${summary}`)).join(" ")})
    _describe command names
    return
  fi
  case "$words[2]" in
${commands.map((command) => `    ${command.name}) compadd -- ${wordsOf(command)} ;;`).join("\n")}
  esac
}
# From a folder of $fpath this file is the body of the function; sourced, it has to be told of.
if [[ "$funcstack[1]" == _signalbox ]]; then _signalbox "$@"; else compdef _signalbox signalbox; fi`,
  fish: (commands) =>
    [
      "complete -c signalbox -f",
      ...commands.flatMap((command) => [
        `complete -c signalbox -n __fish_use_subcommand -a ${command.name} -d ${quote(command.summary)}`,
        `complete -c signalbox -n '__fish_seen_subcommand_from ${command.name}' -a ${quote(wordsOf(command))}`,
      ]),
    ].join("\n"),
};

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param list all commands, this one among them */
export function buildCompletion(list: () => readonly Command[]): Command {
  return {
    name: "completion",
    usage: "bash|zsh|fish",
    summary: "Print what makes your shell complete these commands",
    help: `  bash   signalbox completion bash > ~/.local/share/bash-completion/completions/signalbox
  zsh    signalbox completion zsh > a folder of your $fpath/_signalbox
  fish   signalbox completion fish > ~/.config/fish/completions/signalbox.fish`,
    async run({ positionals, terminal }) {
      const script = scripts[onlyOne(positionals, "shell")];
      if (script === undefined) throw usageError("there are completions for bash, zsh and fish");
      terminal.document({ script: script(list()) });
      terminal.line(script(list()));
      return exitCodes.done;
    },
  };
}
