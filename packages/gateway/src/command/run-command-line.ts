import { CommanderError } from 'commander'
import { RivuletError } from 'rivulet'
import { commandLine } from './command-line.ts'
import { runGateway } from './run-gateway.ts'
import { type CommandOptions, settingsOf } from './settings.ts'

// What a shell gives a program that SIGINT has ended, and what every command of `rivulet` ends with then.
const SECOND_SIGNAL = 130

/** How another command runs the gateway's command line as a part of its own. */
export interface CommandLineOptions {
  /** The name of the command in its help. @default 'rivulet-gateway' */
  readonly name?: string | undefined
  /** The environment, with keys and the transport in it. @default process.env */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** How long to wait for a broker, in milliseconds. @default that of `openHub` */
  readonly timeoutMs?: number | undefined
  /**
   * Returns the exit code for an error; that of a wrong command line has a `code` that begins with `commander.`.
   * @default 1 for every one
   */
  readonly exitCodeOf?: ((error: unknown) => number) | undefined
}

/**
 * Runs a command line of the gateway. It takes the process over: its signals, and its end. Resolves when the gateway
 * serves; the process ends when it does not, with a line on standard error.
 */
export async function runCommandLine(
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<void> {
  const { name = 'rivulet-gateway', exitCodeOf = () => 1 } = options
  const fail = (error: unknown): never => {
    // Commander has said it itself; help is no error.
    if (!(error instanceof CommanderError)) console.error(`${name}: ${sentenceOf(error)}`)
    else if (error.exitCode === 0) process.exit(0)
    process.exit(exitCodeOf(error))
  }
  const command = commandLine((given) => run(given, options, fail), name)
  await command.exitOverride().parseAsync(args, { from: 'user' }).catch(fail)
}

async function run(
  options: CommandOptions,
  { environment = process.env, timeoutMs }: CommandLineOptions,
  fail: (error: unknown) => never,
): Promise<void> {
  let isReloadDue = false
  let hangUp = () => {
    isReloadDue = true
  }
  let end = (): unknown => process.exit(0)
  // Before anything is opened: the line that says that it listens may be answered by a signal at once.
  process.on('SIGHUP', () => hangUp())
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end())
  const running = await runGateway(settingsOf(options, environment), timeoutMs)
  const reload = () => running.reloadKeys(() => settingsOf(options, environment).keys)
  let isClosing = false
  end = async () => {
    // Whoever asks twice does not want to wait.
    if (isClosing) process.exit(SECOND_SIGNAL)
    isClosing = true
    await running.close().catch(fail)
    process.exit(0)
  }
  // Without keys it is run by hand, and there the signal says that the terminal is gone.
  hangUp = running.isOpen ? end : reload
  if (isReloadDue) hangUp()
}

/** Only messages that are known to hold no secret. */
function sentenceOf(error: unknown): string {
  if (RivuletError.is(error)) return error.message
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  if (code === 'EADDRINUSE') return 'The port is taken; choose another one with --port or --metrics-port.'
  return `It failed${typeof code === 'string' ? ` with ${code}` : ''}${syscall ? ` in ${syscall}` : ''}.`
}
