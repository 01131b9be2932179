import { execFileSync } from 'node:child_process'
import { findExecutable, isInstalled } from '../../../../test/support/find-executable.ts'

/** Gives the path of a Chromium: one in `PATH`, or Debian's, which is installed where that can be done. */
export function chromiumPath(): string {
  if (!isInstalled('chromium')) install()
  return findExecutable('chromium')
}

function install(): void {
  const apt = process.getuid?.() === 0 ? ['apt-get'] : ['sudo', '--non-interactive', 'apt-get']
  try {
    run([...apt, 'update'])
    run([...apt, 'install', '-y', '--no-install-recommends', 'chromium'])
  } catch (cause) {
    const advice = 'apt-get install --no-install-recommends chromium'
    throw new Error(`The tests need a browser that is missing here; install it, on Debian with: ${advice}`, {
      cause,
    })
  }
}

function run([program = '', ...args]: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  execFileSync(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
}
