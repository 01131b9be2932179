import { execFileSync } from 'node:child_process'
import { isInstalled } from './find-executable.ts'

// The programs that the tests start, and Debian's package of each.
const PACKAGE_OF: Readonly<Record<string, string>> = {
  chromium: 'chromium',
  fish: 'fish',
  haproxy: 'haproxy',
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
  nginx: 'nginx',
  'nats-server': 'nats-server',
  openssl: 'openssl',
  'redis-cli': 'redis-tools',
  'redis-server': 'redis-server',
  zsh: 'zsh',
}
// Not every Debian has these. Tests over one that cannot be had do not run, and the setup says so.
const OPTIONAL = ['valkey-server']

/**
 * Sees to it, before any test runs, that brokers and browser are on this machine: what is missing is installed, or named
 * in one sentence. The services that Debian starts of some of them are not used.
 */
export default function installPrograms(): void {
  installRequired()
  for (const program of OPTIONAL.filter((name) => !isInstalled(name))) {
    install([program])
    if (!isInstalled(program))
      console.warn(`There is no ${program} to install here: tests over it DO NOT RUN.`)
  }
}

function installRequired(): void {
  const packages = missingPackages()
  if (packages.length === 0) return
  const cause = install(packages)
  const still = missingPackages()
  if (still.length === 0) return
  const advice = `apt-get install --no-install-recommends ${still.join(' ')}`
  throw new Error(`The tests need programs that are missing here; install them, on Debian with: ${advice}`, {
    cause,
  })
}

function missingPackages(): string[] {
  const missing = Object.entries(PACKAGE_OF).filter(([program]) => !isInstalled(program))
  return [...new Set(missing.map(([, name]) => name))]
}

/** Returns why it failed, if it did. */
function install(packages: readonly string[]): unknown {
  const apt = process.getuid?.() === 0 ? ['apt-get'] : ['sudo', '--non-interactive', 'apt-get']
  const options = ['install', '-y', '--no-install-recommends']
  try {
    run([...apt, 'update'])
    run([...apt, ...options, ...packages])
    return undefined
  } catch (error) {
    return error
  }
}

function run([program = '', ...args]: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  execFileSync(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
}
