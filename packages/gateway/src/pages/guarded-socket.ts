import type { PageSocket } from './session.ts'

/** Makes a socket whose methods never throw: one that fails to send is reported. */
export function guardedSocket(socket: PageSocket, failed: (cause: unknown) => void): PageSocket {
  const guard = (action: () => void, caught: (cause: unknown) => void) => {
    try {
      action()
    } catch (cause) {
      caught(cause)
    }
  }
  return {
    send: (bytes) => guard(() => socket.send(bytes), failed),
    close: (code, reason) => guard(() => socket.close(code, reason), failed),
    terminate: () => guard(() => socket.terminate(), failed),
    get bufferedBytes() {
      return socket.bufferedBytes
    },
  }
}
