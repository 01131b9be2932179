import type { CompletionPlace, Word } from './words.ts'

/** Writes the script of a shell. */
export type ScriptWriter = (places: readonly CompletionPlace[]) => string

/** The supported shells. */
export const SCRIPTS: Readonly<Record<string, ScriptWriter>> = { bash, zsh, fish }

const COMMANDS_BEFORE = (places: readonly CompletionPlace[]) =>
  places.filter(({ path }) => path !== '').map(({ path }) => quoted(path.includes(' ') ? path : ` ${path}`))

function bash(places: readonly CompletionPlace[]): string {
  const cases = places.map(({ path, commands, options }) => {
    const texts = [...commands, ...options].map(({ text }) => text).join(' ')
    return `    ${quoted(path)}) candidates=${quoted(texts)} ;;`
  })
  return `# rivulet completion for bash: source <(rivulet completion bash)
_rivulet() {
  local at='' candidates='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at $word" in
      ${COMMANDS_BEFORE(places).join(' | ')}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
# Where no word fits, files do.
complete -o default -F _rivulet rivulet
`
}

function zsh(places: readonly CompletionPlace[]): string {
  const described = (list: readonly Word[]) =>
    list.map(({ text, description }) => quoted(`${text.replaceAll(':', '\\:')}:${description}`)).join(' ')
  const cases = places.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)}) commands=(${described(commands)}); options=(${described(options)}) ;;`,
  )
  return `#compdef rivulet
# rivulet completion for zsh: source <(rivulet completion zsh)
_rivulet() {
  local at='' word
  local -a commands options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${COMMANDS_BEFORE(places).join(' | ')}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe -o option options
  elif (( \${#commands} )); then
    _describe command commands
  else
    _files
  fi
}
compdef _rivulet rivulet
`
}

function fish(places: readonly CompletionPlace[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const condition = conditionOf(path, commands)
    return [
      ...commands.map(
        ({ text, description }) =>
          `complete -c rivulet -f -n ${condition} -a ${quoted(text)} -d ${quoted(description)}`,
      ),
      ...options.map(
        ({ text, description }) =>
          `complete -c rivulet -n ${condition} ${text.startsWith('--') ? `-l ${text.slice(2)}` : `-s ${text.slice(1)}`} -d ${quoted(description)}`,
      ),
    ]
  })
  return `# rivulet completion for fish: rivulet completion fish | source\n${lines.join('\n')}\n`
}

function conditionOf(path: string, commands: readonly Word[]): string {
  const seen = path
    .split(' ')
    .filter(Boolean)
    .map((word) => `__fish_seen_subcommand_from ${word}`)
  const further = commands.map(({ text }) => text).join(' ')
  const parts = further === '' ? seen : [...seen, `not __fish_seen_subcommand_from ${further}`]
  return quoted(parts.join('; and '))
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
