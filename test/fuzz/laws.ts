import assert from 'node:assert/strict'

/** What is handed to subscribers is deep-frozen JSON within the limits, and changes no prototype when it is copied. */
export function assertClean(value: unknown, level = 1): void {
  if (typeof value === 'number') assert.ok(Number.isFinite(value), `the number ${value}`)
  if (typeof value !== 'object' || value === null) {
    assert.ok(['string', 'number', 'boolean', 'object'].includes(typeof value), `a ${typeof value}`)
    return
  }
  assert.ok(Object.isFrozen(value), 'it is not frozen')
  assert.ok(level <= 100, 'it nests deeper than 100 levels')
  assert.deepEqual(Object.getOwnPropertySymbols(value), [])
  const prototype = Object.getPrototypeOf(value)
  assert.ok(prototype === (Array.isArray(value) ? Array.prototype : Object.prototype), 'it is an instance')
  for (const [key, member] of Object.entries(value)) {
    assert.ok(Array.isArray(value) || !isPoison(key, member), `the key ${key}`)
    assertClean(member, level + 1)
  }
}

/** Tells whether a copy of an object with this member would have another prototype. */
export function isPoison(key: string, value: unknown): boolean {
  if (key === '__proto__') return true
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  return key === 'constructor' && isRecord && Object.hasOwn(value, 'prototype')
}

/** Nobody has put anything into the prototype of all objects. */
export function assertUnpolluted(): void {
  for (const key in {}) assert.fail(`Object.prototype has got ${key}`)
}
