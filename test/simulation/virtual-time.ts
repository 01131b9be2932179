/** Who runs tasks: while it is busy they wait, once it is dead they are dropped. */
export interface Owner {
  readonly busyUntilMs: number
  readonly isDead: boolean
}

/** What goes first among tasks of one moment: a process that was busy runs its timers, then reads its socket. */
export const TIMER = 0
export const SOCKET = 1

interface Task {
  dueMs: number
  firstDueMs: number
  readonly rank: number
  readonly order: number
  readonly owner: Owner | undefined
  run: (() => void) | undefined
}

/**
 * The one clock of a simulation, in milliseconds, and everything that is due: it steps from task to task, and only
 * when every promise that the last one settled has gone on.
 */
export class VirtualTime {
  nowMs = 0
  /** A heap: none comes before its parent, which stands at half its index. */
  readonly #tasks: Task[] = []
  #made = 0

  /** Runs an action at a time, and returns how to call it off. */
  at(dueMs: number, run: () => void, owner?: Owner, rank = SOCKET): () => void {
    const task = { dueMs, firstDueMs: dueMs, rank, order: this.#made++, owner, run }
    this.#push(task)
    return () => {
      task.run = undefined as never
    }
  }

  /** Lets the timers of an owner, whose clock stands still for so long, run later by that. */
  delayTimers(owner: Owner, ms: number): void {
    for (const task of this.#tasks.splice(0)) {
      if (task.owner === owner && task.rank === TIMER) {
        task.dueMs += ms
        task.firstDueMs += ms
      }
      this.#push(task)
    }
  }

  /** Runs all that is due until `endMs`, or until `isOver`. `ran` is called after each task. */
  async runUntil(
    endMs: number,
    ran: (owner: Owner | undefined) => void,
    isOver: () => boolean,
  ): Promise<void> {
    await drained()
    for (let task = this.#tasks[0]; task !== undefined && task.dueMs <= endMs; task = this.#tasks[0]) {
      this.#pop()
      if (task.run === undefined || task.owner?.isDead) continue
      if (task.owner !== undefined && task.owner.busyUntilMs > task.dueMs) {
        task.dueMs = task.owner.busyUntilMs
        this.#push(task)
        continue
      }
      this.nowMs = task.dueMs
      task.run()
      await drained()
      ran(task.owner)
      if (isOver()) return
    }
    this.nowMs = endMs
  }

  #push(task: Task): void {
    const tasks = this.#tasks
    let at = tasks.length
    for (
      let parent = (at - 1) >> 1;
      at > 0 && isBefore(task, tasks[parent] as Task);
      parent = (at - 1) >> 1
    ) {
      tasks[at] = tasks[parent] as Task
      at = parent
    }
    tasks[at] = task
  }

  #pop(): void {
    const tasks = this.#tasks
    const last = tasks.pop() as Task
    if (tasks.length === 0) return
    let at = 0
    for (let child = 1; child < tasks.length; child = 2 * at + 1) {
      const right = tasks[child + 1]
      if (right !== undefined && isBefore(right, tasks[child] as Task)) child++
      if (!isBefore(tasks[child] as Task, last)) break
      tasks[at] = tasks[child] as Task
      at = child
    }
    tasks[at] = last
  }
}

function isBefore(one: Task, other: Task): boolean {
  const differenceMs = one.dueMs - other.dueMs || one.rank - other.rank || one.firstDueMs - other.firstDueMs
  return (differenceMs || one.order - other.order) < 0
}

/** Resolves when no promise is left that goes on by itself: Node runs all of those before an immediate. */
function drained(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
