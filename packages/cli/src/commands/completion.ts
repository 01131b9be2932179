import { Argument, type Command } from 'commander'
import { EXIT } from '../base/exit-code.ts'
import { perform } from '../base/perform.ts'
import { SCRIPTS, type ScriptWriter } from '../completion/scripts.ts'
import { placesOf } from '../completion/words.ts'

const EXAMPLES = `
Examples:
  source <(rivulet completion bash)        in ~/.bashrc
  source <(rivulet completion zsh)         in ~/.zshrc, after compinit
  rivulet completion fish | source         in ~/.config/fish/config.fish`

/** Adds `rivulet completion`. It knows every command of the program. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print a script that completes commands and options in a shell')
    .description('Print a script for a shell, by which it completes the commands and options of rivulet.')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', EXAMPLES)
    .action(
      perform<object, [string]>(async ({ output }, _, shell) => {
        const script = SCRIPTS[shell] as ScriptWriter
        output.write(script(placesOf(program)))
        return EXIT.fine
      }),
    )
}
