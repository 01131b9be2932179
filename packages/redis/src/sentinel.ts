import { ErrorReply } from '@redis/client'
import { dialShareMs, type Timeouts } from 'rivulet/adapter'
import { type Dialled, dial, dialServer, firstOf, type Purpose } from './dial.ts'
import type { Server } from './options.ts'
import { WrongServer } from './role.ts'
import type { Known } from './secrets.ts'

/**
 * Asks Sentinels in turn for the master, until one names a server that is a master. During a failover they name a
 * server that is down, or one that is a replica.
 */
export function dialMaster(
  sentinels: readonly Server[],
  sentinel: NonNullable<Known['sentinel']>,
  purpose: Purpose,
  timeouts: Timeouts,
  signal: AbortSignal,
): Promise<Dialled> {
  const mostMs = dialShareMs(timeouts, 2 * sentinels.length)
  return firstOf(sentinels, signal, async (server, rename) => {
    const login = { ...sentinel, name: purpose.name }
    const master = await dial(server, login, mostMs, signal, async (client) => {
      const named = await masterOf((args) => client.sendCommand(args), sentinel.master)
      client.destroy()
      return named
    })
    rename(`${server.label}, which names ${master.label}`)
    return await dialServer(master, { ...purpose, wasUp: true }, mostMs, signal)
  })
}

async function masterOf(command: (args: string[]) => Promise<unknown>, name: string): Promise<Server> {
  const reply = await command(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]).catch((cause: unknown) => {
    if (!(cause instanceof ErrorReply) || !/^ERR unknown command/i.test(cause.message)) throw cause
    throw new WrongServer('it is no Sentinel; name a server of Redis as redis://host:port', true)
  })
  if (reply === null) throw new WrongServer(`it watches no master "${name}"`, true)
  const [host, port] = reply as [string, string]
  const label = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return { label, address: { host, port: Number(port) } }
}
