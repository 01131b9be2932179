import { Hub, Subscription } from 'rivulet'
import { expect, test } from 'vitest'

test.each([
  ['Subscription', Subscription, Symbol.dispose],
  ['Hub', Hub, Symbol.asyncDispose],
] as const)(
  'what using calls of a %s is like a method of its class: it can be replaced',
  (_, owner, symbol) => {
    const found = Object.getOwnPropertyDescriptor(owner.prototype, symbol)
    expect(found).toMatchObject({ writable: true, configurable: true, enumerable: false })
  },
)
