import type { Command } from 'commander'
import type { CommonOptions } from '../base/common-options.ts'
import { CommandError, EXIT, exitCodeOf } from '../base/exit-code.ts'
import { Output } from '../base/output.ts'
import { sentenceOf } from '../base/perform.ts'
import { placeOf } from '../connection/place.ts'

/** Options of the gateway for the location of its hubs. */
const PLACES = ['--transport', '--config']

/** Adds `rivulet serve`: the gateway's own command line, which parses its options and prints its help. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .summary('serve a hub by HTTP, Server-Sent Events and WebSockets (needs @rivulet/gateway)')
    .argument('[options...]', 'those of the gateway')
    .helpOption(false)
    .allowUnknownOption()
    .addHelpText('after', '\nAll options of the gateway, with examples: rivulet serve --help')
    .action(async (args: string[], _: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      // The gateway handles the signals of the process itself.
      await serve(args, options).catch((error) => {
        new Output(options, () => {}).warn(sentenceOf(error))
        process.exit(exitCodeOf(error))
      })
    })
}

async function serve(args: readonly string[], options: CommonOptions): Promise<void> {
  const { runCommandLine } = await load()
  const { wait } = options
  const given = { name: 'rivulet serve', exitCodeOf, ...(wait !== undefined && { timeoutMs: wait }) }
  const isGiven = (name: string) => args.some((arg) => arg === name || arg.startsWith(`${name}=`))
  if (isGiven('--help') || isGiven('-h') || PLACES.some(isGiven)) {
    return runCommandLine(args, given)
  }
  const { urls, hub } = placeOf(options)
  const name = hub === undefined || isGiven('--name') ? [] : ['--name', hub]
  const environment = {
    ...process.env,
    // In the environment instead of the arguments, which every list of processes shows.
    ...(urls.length > 0 && { RIVULET_GATEWAY_TRANSPORT: urls.join(' ') }),
  }
  return runCommandLine([...args, ...name], { ...given, environment })
}

async function load(): Promise<typeof import('@rivulet/gateway/command-line')> {
  try {
    return await import('@rivulet/gateway/command-line')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes("'@rivulet/gateway'")) throw cause
    throw new CommandError(
      '@rivulet/gateway is not installed; run: npm install --global @rivulet/gateway (without --global in a project).',
      EXIT.refused,
      cause,
    )
  }
}
