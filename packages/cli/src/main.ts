import { Command, CommanderError } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { addCommonOptions, type CommonOptions } from './base/common-options.ts'
import { EXIT } from './base/exit-code.ts'
import { Output } from './base/output.ts'
import { addBench } from './commands/bench.ts'
import { addCheck } from './commands/check.ts'
import { addCompletion } from './commands/completion.ts'
import { addContext } from './commands/context.ts'
import { addPub } from './commands/pub.ts'
import { addRecord } from './commands/record.ts'
import { addReplay } from './commands/replay.ts'
import { addServe } from './commands/serve.ts'
import { addSub } from './commands/sub.ts'
import { addTap } from './commands/tap.ts'

const AFTER = `
Exit codes: 0 fine; 1 failed or lost; 2 refused, or a wrong command line; 3 the broker is away.
With DEBUG=1 in the environment, errors come with their stack.`

/** Builds the whole command line. */
export function programOf(): Command {
  const program = new Command('rivulet')
    .description('Publish, subscribe and look at Rivulet streams.')
    .version(manifest.version)
    .configureHelp({ showGlobalOptions: true })
    // Before any command is added: commands inherit this.
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText('after', AFTER)
  addCommonOptions(program)
  addPub(program)
  addBench(program)
  addCheck(program)
  addSub(program)
  addTap(program)
  addRecord(program)
  addReplay(program)
  addServe(program)
  addContext(program)
  addCompletion(program)
  return program
}

/** Runs a command line. A command ends the process itself; an invalid command line ends it here. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = programOf()
  // Commander writes help and the version without checking whether standard output has a reader.
  const output = new Output(program.opts<CommonOptions>(), () => {})
  try {
    await program.parseAsync(argv)
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const isWritten = await output.finish(new AbortController().signal)
    // Commander has printed the error. Help and the version are no errors.
    if (error.exitCode !== 0) process.exitCode = EXIT.refused
    else process.exitCode = isWritten ? EXIT.fine : EXIT.failed
  }
}
