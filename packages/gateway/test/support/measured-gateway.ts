import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { GatewayOptions, ServeOptions } from '@rivulet/twilio'
import { onTestFinished } from 'vitest'
import { bundle } from './bundle.ts'
import type { Measures, Order } from './measured-child.ts'
import { ACCOUNT_KEY, SERVICE } from './served-gateway.ts'

const program = await bundle(join(import.meta.dirname, 'measured-child.ts'))

/** A gateway in a process of its own, so that its memory can be measured while this process attacks it. */
export class MeasuredGateway {
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  static async start(
    options: Partial<GatewayOptions> = {},
    serving: ServeOptions = {},
  ): Promise<MeasuredGateway> {
    const given = { service: SERVICE, keys: [ACCOUNT_KEY], options, serving }
    const child = fork(program, [JSON.stringify(given)], { execArgv: [] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return new MeasuredGateway(child, port)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async order(order: Order): Promise<Measures> {
    this.#child.send(order)
    const [measures] = (await once(this.#child, 'message')) as [Measures]
    return measures
  }

  /** Resolves when the gateway has answered all that reached it, and has nothing more to do. */
  async settled(): Promise<Measures> {
    let last = await this.order({ do: 'measure' })
    for (let unchanged = 0; unchanged < 5; ) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      const next = await this.order({ do: 'measure' })
      unchanged = next.answered === last.answered && next.listeners === last.listeners ? unchanged + 1 : 0
      last = next
    }
    return last
  }
}
