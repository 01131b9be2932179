import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { runCli } from './support/cli-process.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

interface Shell {
  readonly name: string
  /** A program that loads the script in $1, and prints the candidates for the last of the words after it, one a line. */
  readonly program: string
}

const SHELLS: readonly Shell[] = [
  {
    name: 'bash',
    program: `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rivulet; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  {
    name: 'zsh',
    // Its own functions work only while a user types.
    program: `compdef() {}; _files() { print -r FILES }
      _describe() { local -a all; all=("\${(@P)@[-1]}"); for each in $all; do [[ $each == "$words[CURRENT]"* ]] && print -r -- "\${each%%:*}"; done }
      source "$1"; shift; words=("$@"); CURRENT=$#; _rivulet`,
  },
  {
    name: 'fish',
    program: `source $argv[1]; complete -C (string join ' ' -- $argv[2..-1]) | string replace -r '\\t.*' ''`,
  },
]

/** Resolves to the completions of the shell. */
async function candidates(
  { name, program }: Shell,
  script: string,
  words: readonly string[],
): Promise<string[]> {
  const file = join(temporaryFolder(), 'script')
  writeFileSync(file, script)
  // The first argument after the program is the shell's name in bash and zsh.
  const options = {
    bash: ['--norc', '-c', program, 'bash'],
    zsh: ['-f', '-c', program, 'zsh'],
    fish: ['-N', '-c', program],
  }
  const { stdout } = await execa(name, [...options[name as keyof typeof options], file, ...words], {
    reject: false,
  })
  return stdout.split('\n').filter(Boolean).sort()
}

test.each(SHELLS)(
  'the script of $name completes commands, commands of commands, and options',
  async (shell) => {
    const { exitCode, stdout: script, stderr } = await runCli(['completion', shell.name])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const offered = (...words: string[]) => candidates(shell, script, ['rivulet', ...words])
    expect(await offered('pu')).toEqual(['pub'])
    expect(await offered('')).toEqual(
      expect.arrayContaining(['completion', 'context', 'pub', 'serve', 'sub']),
    )
    expect(await offered('pub', '--co')).toEqual(expect.arrayContaining(['--count', '--context']))
    expect(await offered('pub', 'positions', '--lat')).toEqual(['--latest'])
    expect(await offered('sub', '--lat')).toEqual([])
    expect(await offered('sub', '--sche')).toEqual(['--schema'])
    expect(await offered('context', 'a')).toEqual(['add'])
    expect(await offered('context', 'add', '--us')).toEqual(['--use'])
    expect(await offered('--hu')).toEqual(['--hub'])
  },
)

test('a shell without a script is refused', async () => {
  const { exitCode, stderr } = await runCli(['completion', 'tcsh'])
  expect(stderr).toContain('Allowed choices are bash, zsh, fish')
  expect(exitCode).toBe(2)
})
