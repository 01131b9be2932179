import type { Command } from 'commander'

/** A word to complete. */
export interface Word {
  readonly text: string
  readonly description: string
}

/** The possible words after a command: a node in the tree of commands. */
export interface CompletionPlace {
  /** The commands up to here, such as `context add`; empty for the program itself. */
  readonly path: string
  /** Commands that may follow. */
  readonly commands: readonly Word[]
  /** Options that may follow, those of the program included. */
  readonly options: readonly Word[]
}

/** Lists every command of a program with its possible next words. */
export function placesOf(program: Command): CompletionPlace[] {
  return under(program, '', [])
}

function under(command: Command, path: string, inherited: readonly Word[]): CompletionPlace[] {
  const help = command.createHelp()
  const own = help.visibleOptions(command).map(({ long, short, description }) => ({
    text: long ?? short ?? '',
    description,
  }))
  const options = [...own, ...inherited.filter(({ text }) => own.every((option) => option.text !== text))]
  const commands = help.visibleCommands(command)
  const here = {
    path,
    commands: commands.map((child) => ({
      text: child.name(),
      description: child.summary() || child.description(),
    })),
    options,
  }
  return [here, ...commands.flatMap((child) => under(child, `${path} ${child.name()}`.trim(), options))]
}
