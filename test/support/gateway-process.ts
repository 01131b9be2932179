import { join } from 'node:path'
import { type Broker, type CommonOptions, startBroker, startNats } from './brokers.ts'
import { bundleProgram } from './bundle-program.ts'

const COMMAND = join(import.meta.dirname, '../../packages/gateway/src/command/command.ts')
/** The sid of the service whose hub is called `default`, as the members' hubs are. */
const SERVICE = `IS${'0'.repeat(32)}`
/** More than any test publishes: what the limits of pages hold back is tested with the gateway. */
const PLENTY = 1_000_000
const LIMITS = {
  pages: {
    ratePerSecond: PLENTY,
    burst: PLENTY,
    maxMessagesPerSecond: PLENTY,
    // As much as nats-server keeps for a client that does not read.
    maxWaitingBytes: 64 * 1024 * 1024,
  },
}

let program: string | undefined

/** Starts a gateway over a nats-server of its own, and gives it as a broker whose clients are pages. They end together. */
export async function startGatewayProcess(options: CommonOptions = {}): Promise<Broker> {
  const nats = await startNats()
  try {
    return await startGatewayOver(nats.url, options, nats)
  } catch (error) {
    await nats.close()
    throw error
  }
}

/** Starts the command `rivulet-gateway` on a free loopback port, over a broker. `owned` ends with it. */
export async function startGatewayOver(
  transport: string,
  options: CommonOptions = {},
  owned?: Broker,
): Promise<Broker> {
  program ??= bundleProgram(COMMAND)
  const args = [program, '--config']
  return startBroker('node', options, [], {
    scheme: 'ws',
    path: '/rivulet',
    readyLine: /"msg":"listening"/,
    upstream: owned,
    args: (file) => [...args, file],
    render: (port) => gatewayConfig(port, transport),
  })
}

function gatewayConfig(port: number, transport: string): string {
  const services = { [SERVICE]: { transport, name: 'default' } }
  return JSON.stringify({ port, open: true, services, limits: LIMITS })
}
