import { execFileSync } from 'node:child_process'
import { isInstalled } from '../../../../test/support/find-executable.ts'

/** Sees to it, before any test runs, that there is a Chromium: one in `PATH`, or Debian's, which is installed. */
export default function installChromium(): void {
  if (isInstalled('chromium')) return
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
