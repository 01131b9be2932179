import type { Topic } from 'rivulet'

/** A question that the server has not answered yet. */
interface Question {
  /** The topic that it asks for; absent for a barrier. */
  readonly topic: Topic | undefined
  resolve(): void
  reject(cause: unknown): void
}

/** Matches the server's answers to questions, by number. */
export class Answers {
  readonly #questions = new Map<number, Question>()
  #lastId = 0

  /** Asks, and settles with the answer, with the signal's reason when it aborts first, or with the end of it all. */
  ask(topic: Topic | undefined, signal: AbortSignal, send: (id: number) => void): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    this.#lastId = (this.#lastId + 1) >>> 0
    const id = this.#lastId
    return new Promise((resolve, reject) => {
      const giveUp = () => this.refuse(id, signal.reason)
      const settle = (how: () => void) => {
        signal.removeEventListener('abort', giveUp)
        how()
      }
      signal.addEventListener('abort', giveUp)
      this.#questions.set(id, {
        topic,
        resolve: () => settle(resolve),
        reject: (cause) => settle(() => reject(cause)),
      })
      send(id)
    })
  }

  /** Answers a question with yes. Returns its topic; `undefined` when the question is no longer asked. */
  confirm(id: number): Topic | undefined {
    const question = this.#take(id)
    question?.resolve()
    return question?.topic
  }

  /** Answers a question with no. */
  refuse(id: number, cause: unknown): void {
    this.#take(id)?.reject(cause)
  }

  /** Drops the question for a topic. */
  drop(topic: Topic, cause: unknown): void {
    for (const [id, question] of this.#questions) if (question.topic === topic) this.refuse(id, cause)
  }

  /** There will be no answers any more. */
  end(cause: unknown): void {
    for (const id of [...this.#questions.keys()]) this.refuse(id, cause)
  }

  #take(id: number): Question | undefined {
    const question = this.#questions.get(id)
    this.#questions.delete(id)
    return question
  }
}
