import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { bundleProgram } from '../../../test/support/bundle-program.ts'

const bundles = new Map<string, string>()

/** A worker thread that runs one program of the tests. */
export interface Thread {
  readonly worker: Worker
  /** Resolves when the thread ended by itself; rejects when it failed. */
  readonly ended: Promise<void>
}

/** Starts a thread with a program that lies beside this file. */
export function startThread(program: string, workerData: unknown): Thread {
  const bundle = bundles.get(program) ?? bundleProgram(fileURLToPath(new URL(program, import.meta.url)))
  bundles.set(program, bundle)
  const worker = new Worker(bundle, { workerData })
  const ended = once(worker, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`The thread ended with code ${code}.`)
  })
  ended.catch(() => {})
  return { worker, ended }
}
