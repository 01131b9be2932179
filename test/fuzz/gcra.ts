/** Units of one message: a burst is given in thousandths of a message, a rate in thousandths a second. */
const MESSAGE = 1_000_000_000n

/**
 * The generic cell rate algorithm of ITU-T I.371 as virtual scheduling, exactly: time is counted in units in which a
 * message takes 10⁹ of them at any rate, so that nothing is ever divided.
 */
export class Gcra {
  readonly #rate: bigint
  readonly #burst: bigint
  /** The theoretical arrival time: when the bucket is empty. */
  #emptyAt = 0n
  #now = 0n

  constructor(thousandthsPerSecond: number, thousandthsOfBurst: number) {
    this.#rate = BigInt(thousandthsPerSecond)
    this.#burst = BigInt(thousandthsOfBurst) * (MESSAGE / 1000n)
  }

  /** Moves the clock; back it does not go. */
  pass(nowUs: number): void {
    const now = this.#at(nowUs)
    if (now > this.#now) this.#now = now
  }

  /** How many messages there is room for, as a number: less than 0 when it is overfull. */
  room(): number {
    return this.#roomAt(this.#now)
  }

  /** How many there will be room for. */
  roomAt(nowUs: number): number {
    const now = this.#at(nowUs)
    return this.#roomAt(now > this.#now ? now : this.#now)
  }

  /** Adds a message. */
  add(): void {
    this.#emptyAt = this.#now + this.#level(this.#now) + MESSAGE
  }

  /** Adds a message, but never fills above a number of thousandths. */
  fill(thousandths: number): void {
    const level = this.#level(this.#now)
    const ceiling = BigInt(thousandths) * (MESSAGE / 1000n)
    const filled = level + MESSAGE < ceiling ? level + MESSAGE : ceiling
    this.#emptyAt = this.#now + (filled > level ? filled : level)
  }

  #roomAt(now: bigint): number {
    return Number(this.#burst - this.#level(now)) / Number(MESSAGE)
  }

  #level(now: bigint): bigint {
    return this.#emptyAt > now ? this.#emptyAt - now : 0n
  }

  #at(nowUs: number): bigint {
    return BigInt(nowUs) * this.#rate
  }
}
