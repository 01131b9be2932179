import type { Topic, TransportHost } from 'rivulet'
import { Lane } from './lane.ts'
import type { Machine } from './machine.ts'
import type { VirtualTime } from './virtual-time.ts'

/** One connection of a link to the bus: a lane each way, and what is joined over it. */
export class LinkConnection {
  readonly host: TransportHost
  readonly up: Lane
  readonly down: Lane
  /** What was asked for, by topic: an object for each join, so that a frame of an earlier one is known. */
  readonly joins = new Map<Topic, { isConfirmed: boolean }>()
  isUp = false
  /** Whether the host hears nothing more. */
  isSilent = false
  /** Bytes sent so far, and how many of them a barrier that was answered covers. */
  sentBytes = 0
  coveredBytes = 0
  /** When the first barrier began that is not answered; nothing when the last one was. */
  openBarrierMs: number | undefined

  constructor(time: VirtualTime, machine: Machine, latencyMs: number, host: TransportHost) {
    this.host = host
    this.up = new Lane(time, latencyMs)
    this.down = new Lane(time, latencyMs, machine)
  }

  freeze(): void {
    this.up.freeze()
    this.down.freeze()
  }

  thaw(): void {
    this.up.thaw()
    this.down.thaw()
  }

  end(): void {
    this.isUp = false
    this.isSilent = true
    this.up.cut()
    this.down.cut()
    this.joins.clear()
  }
}
