#!/usr/bin/env node
// npm links a program when it installs. In a checkout nothing is built by then, so this file stands before it.
import { existsSync } from 'node:fs'

const program = new URL('../dist/command.js', import.meta.url)
if (existsSync(program)) {
  await import(program.href)
} else {
  console.error('rivulet: It is not built yet; run "npm run build" in the checkout.')
  process.exitCode = 1
}
