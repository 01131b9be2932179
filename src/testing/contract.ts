import { capabilityChecks } from './capability-checks.ts'
import { closeChecks } from './close-checks.ts'
import type { ContractBackend } from './contract-backend.ts'
import { deliveryChecks } from './delivery-checks.ts'
import { flushChecks } from './flush-checks.ts'
import { joinChecks } from './join-checks.ts'
import { openChecks } from './open-checks.ts'
import { Scene } from './scene.ts'
import { sendChecks } from './send-checks.ts'
import { watchChecks } from './watch-checks.ts'

/** The arguments of the suite for one adapter. */
export interface ContractOptions {
  /** Registers a test: `test` of vitest or of `node:test`, or anything of that shape. */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /**
   * Makes a backend for one test, which nothing else uses meanwhile. It may be one server for all tests (topics
   * never repeat), as long as it is up again for the next one.
   */
  readonly create: () => Promise<ContractBackend>
  /**
   * The longest step, in milliseconds, before the test fails. The runner's own time limit of a test has to be longer,
   * or only its message is shown.
   * @default 5000
   */
  readonly waitMs?: number | undefined
}

/**
 * Registers the tests that every transport passes: each capability as it is claimed and as it is not, and each rule of
 * the `Transport` contract with what must not happen. No test can be skipped. Takes a backend per test; see {@link
 * ContractBackend}.
 */
export function testTransport({ test, create, waitMs = 5000 }: ContractOptions): void {
  const checks = [
    ...capabilityChecks,
    ...openChecks,
    ...sendChecks,
    ...deliveryChecks,
    ...joinChecks,
    ...watchChecks,
    ...flushChecks,
    ...closeChecks,
  ]
  for (const check of checks) {
    test(check.name, async () => {
      const scene = new Scene(await create(), waitMs)
      try {
        await check.run(scene)
      } finally {
        await scene.end()
      }
    })
  }
}
