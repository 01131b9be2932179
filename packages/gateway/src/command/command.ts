#!/usr/bin/env node
import { RivuletError } from 'rivulet'
import { commandLine } from './command-line.ts'
import { runGateway } from './run-gateway.ts'
import { settingsOf } from './settings.ts'

commandLine(async (options) => {
  let isReloadDue = false
  let hangUp = () => {
    isReloadDue = true
  }
  // Before anything is opened, so that a signal that comes meanwhile does not end the process.
  process.on('SIGHUP', () => hangUp())
  const running = await runGateway(settingsOf(options, process.env))
  const reload = () => running.reloadKeys(() => settingsOf(options, process.env).keys)
  let isClosing = false
  const end = async () => {
    // Whoever asks twice does not want to wait.
    if (isClosing) process.exit(1)
    isClosing = true
    await running.close().catch(fail)
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  // Without keys it is run by hand, and there the signal says that the terminal is gone.
  hangUp = running.isOpen ? end : reload
  if (isReloadDue) hangUp()
})
  .parseAsync()
  .catch(fail)

function fail(error: unknown): never {
  console.error(`rivulet-gateway: ${sentenceOf(error)}`)
  process.exit(1)
}

/** Only messages that are known to hold no secret. */
function sentenceOf(error: unknown): string {
  if (RivuletError.is(error)) return error.message
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  if (code === 'EADDRINUSE') return 'A port is taken; choose another one with --port or --metrics-port.'
  return `It failed${typeof code === 'string' ? ` with ${code}` : ''}${syscall ? ` in ${syscall}` : ''}.`
}
