import { ErrorReply } from '@redis/client'

/** Sends one command to a server, and resolves to its answer. */
export type Command = (args: string[]) => Promise<unknown>

/** The role that a server reports. A member is `undefined` when the server does not report it. */
export interface Role {
  readonly isSentinel: boolean
  /** Whether it delivers messages to its own subscribers only. In a cluster every node forwards messages to all. */
  readonly isReplica: boolean
  /** Whether it may become a replica. */
  readonly isMaster: boolean
}

/** The error of a server that accepts connections but has the wrong role or mode. */
export class WrongServer extends Error {
  /** Whether the server is unlikely to change. */
  readonly isFinal: boolean

  constructor(message: string, isFinal: boolean) {
    super(message)
    this.isFinal = isFinal
  }
}

/** Asks a server for its role, by a command that every user of the adapter may run. */
export async function readRole(command: Command): Promise<Role> {
  const { mode, role } = ((await answerTo(command, ['HELLO', '3'])) ?? {}) as Record<string, unknown>
  const isAlone = mode === 'standalone'
  return {
    isSentinel: mode === 'sentinel',
    isReplica: isAlone && role === 'replica',
    isMaster: isAlone && role === 'master',
  }
}

/**
 * Throws unless the server is a master. A replica is a final refusal only if the transport was never up: otherwise it
 * may have become one while its master failed.
 */
export async function checkRole(role: Role, command: Command, wasUp: boolean): Promise<void> {
  if (role.isSentinel) {
    throw new WrongServer('it is a Sentinel; name it as redis-sentinel://host:port?master=name', true)
  }
  if (role.isReplica) throw new WrongServer(await replicaText(command), !wasUp)
}

/** Names the master of a replica, if its user may ask. */
async function replicaText(command: Command): Promise<string> {
  const [role, host, port] = ((await answerTo(command, ['ROLE'])) ?? []) as unknown[]
  const master = role === 'slave' ? ` of ${host}:${port}` : ''
  return `it is a replica${master}; name the master, or use redis-sentinel:`
}

/** Resolves to the answer of a command; `undefined` when the server refuses it. */
async function answerTo(command: Command, args: string[]): Promise<unknown> {
  try {
    return await command(args)
  } catch (cause) {
    if (cause instanceof ErrorReply) return undefined
    throw cause
  }
}
