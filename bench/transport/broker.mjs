import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

// Debian installs daemons outside the PATH of an ordinary user.
const FOLDERS = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/sbin',
  '/usr/local/sbin',
  '/opt/homebrew/sbin',
]
const START_TIMEOUT_MS = 10_000

const KINDS = {
  nats: { program: 'nats-server', arguments: (port) => ['-a', '127.0.0.1', '-p', `${port}`] },
  redis: { program: 'redis-server', arguments: redisArguments },
  mqtt: { program: 'mosquitto', arguments: (port, folder) => ['-c', mosquittoConfig(port, folder)] },
}

/**
 * Starts a broker on a free port of this machine, with its own folder for its files. Throws, naming the package, when
 * it is not installed.
 * @param {'nats' | 'mqtt' | 'redis'} kind
 */
export async function startBroker(kind) {
  const { program, arguments: argumentsFor } = KINDS[kind]
  const executable = FOLDERS.map((folder) => join(folder, program)).find(isExecutable)
  if (executable === undefined) {
    throw new Error(
      `${program} is not installed; install it (Debian: apt-get install ${program}), or name a broker with --transport.`,
    )
  }
  const folder = mkdtempSync(join(tmpdir(), `rivulet-bench-${program}-`))
  const port = await freePort()
  const child = spawn(executable, argumentsFor(port, folder), { cwd: folder, stdio: 'ignore' })
  const end = () => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.on('exit', end)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1)) // `exit` runs `end`
  await accepting(port, child, program)
  return {
    url: `${kind}://127.0.0.1:${port}`,
    async close() {
      process.off('exit', end)
      if (child.exitCode === null) {
        child.kill()
        await once(child, 'exit')
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function mosquittoConfig(port, folder) {
  const file = join(folder, 'mosquitto.conf')
  // Without set_tcp_nodelay single messages of any sender wait for the TCP stack.
  const lines = [
    'user root',
    'persistence false',
    'allow_anonymous true',
    'set_tcp_nodelay true',
    `listener ${port} 127.0.0.1`,
  ]
  writeFileSync(file, lines.join('\n'))
  return file
}

function redisArguments(port, folder) {
  return ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '']
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function accepting(port, child, program) {
  const untilMs = performance.now() + START_TIMEOUT_MS
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > untilMs) throw new Error(`${program} did not start.`)
    await delay(20)
  }
}

async function accepts(port) {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
