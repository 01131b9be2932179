import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

// A gateway on a busy machine takes 20 s and more.
const START_TIMEOUT_MS = 60_000
const POLL_MS = 20

/** How to run one broker. */
export interface BrokerCommand {
  readonly executable: string
  readonly args: readonly string[]
  /** Removed by `close`. */
  readonly folder: string
  /** The port of the main listener. */
  readonly port: number
  /** What the broker's log says once all its listeners take connections. */
  readonly readyLine: RegExp
}

const running = new Set<BrokerProcess>()
process.on('exit', () => {
  for (const broker of running) broker.abandon()
})

/** A broker in a process of its own, which ends with this process, however that ends. */
export class BrokerProcess {
  readonly #command: BrokerCommand
  #child: ChildProcess | undefined
  #watchdog: ChildProcess | undefined
  #output = ''
  // Where the log of the running child begins.
  #started = 0

  constructor(command: BrokerCommand) {
    this.#command = command
  }

  get port(): number {
    return this.#command.port
  }

  /** The process id; that of the last one while the broker is down. */
  get pid(): number {
    return this.#child?.pid ?? -1
  }

  /** Tells whether the process runs (also while it is stopped). */
  get alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Everything that the broker wrote so far, over all its restarts. */
  log(): string {
    return this.#output
  }

  /** Starts the process and waits until the broker takes connections. */
  async start(): Promise<void> {
    const { executable, args } = this.#command
    this.#started = this.#output.length
    const child = spawn(executable, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    running.add(this)
    const append = (chunk: Buffer) => {
      this.#output += chunk
    }
    child.stdout.on('data', append)
    child.stderr.on('data', append)
    await once(child, 'spawn')
    this.#watchdog = watch(this.pid, this.#command.folder)
    await this.#ready()
  }

  /** Sends SIGKILL and waits for the end. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Freezes the process (SIGSTOP); its sockets stay open. */
  async stop(): Promise<void> {
    this.signal('SIGSTOP')
    while (!isStopped(this.pid)) await delay(1)
  }

  /** Thaws a stopped process (SIGCONT). */
  cont(): void {
    this.signal('SIGCONT')
  }

  /** Sends any signal. Throws when the broker is down, so that a test cannot miss its target. */
  signal(name: NodeJS.Signals): void {
    if (!this.alive) throw new Error(`The broker is down; it cannot take ${name}.\n${this.#output}`)
    process.kill(this.pid, name)
  }

  /** Resolves when the process has ended by itself or by a signal. */
  async exited(): Promise<void> {
    if (this.#child && this.alive) await once(this.#child, 'exit')
  }

  /** Kills the broker if it runs, and starts it again on the same ports with the same folder. */
  async restart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  /** Ends the broker and removes its folder. May be called again. */
  async close(): Promise<void> {
    await this.kill()
    rmSync(this.#command.folder, { recursive: true, force: true })
  }

  /** Ends the broker without waiting: for the end of this process. */
  abandon(): void {
    if (this.alive) process.kill(this.pid, 'SIGKILL')
    rmSync(this.#command.folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child && this.alive) {
      const closed = once(child, 'close')
      child.kill(signal)
      await closed
    }
    this.#watchdog?.kill('SIGKILL')
    running.delete(this)
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS
    const { readyLine } = this.#command
    while (this.alive && performance.now() < deadline) {
      // No connection to try it out: it would count against the broker's `max_connections` for a while.
      if (readyLine.test(this.#output.slice(this.#started))) return
      await delay(POLL_MS)
    }
    const reason = this.alive ? 'does not get ready' : 'ended at once'
    await this.kill()
    throw new Error(`The broker ${reason}: ${this.#command.executable}\n${this.#output}`)
  }
}

/** Kills `pid` and removes `folder` when this process is gone: only then does the pipe to the shell end. */
function watch(pid: number, folder: string): ChildProcess {
  const script = 'read -r line; kill -9 "$0"; rm -rf "$1"'
  const watchdog = spawn('sh', ['-c', script, String(pid), folder], { stdio: ['pipe', 'ignore', 'ignore'] })
  watchdog.unref()
  const input = watchdog.stdin as NonNullable<ChildProcess['stdin']> & { unref?(): void }
  input.on('error', () => {})
  input.unref?.()
  return watchdog
}

/** Reads the state letter of /proc; elsewhere a signal is taken to act at once. */
function isStopped(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return status.slice(status.lastIndexOf(')') + 2).startsWith('T')
  } catch {
    return true
  }
}
