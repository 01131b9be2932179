#!/usr/bin/env node
// The target of npm's link, which npm makes at installation, before a checkout is built.
import { existsSync } from 'node:fs'

const program = new URL('../dist/command.js', import.meta.url)
if (existsSync(program)) {
  await import(program.href)
} else {
  console.error('rivulet: It is not built yet; run "npm run build" in the checkout.')
  process.exitCode = 1
}
