import type { Scene } from './scene.ts'

/** One rule of the contract. `run` rejects when the transport breaks it. */
export interface Check {
  /** A sentence in the present tense with the transport as its subject. */
  readonly name: string
  run(scene: Scene): Promise<void>
}
