/** The members of Node's `net.Socket` that `resetAtEnd` uses: the core names no built-in of Node. */
export interface ResettableSocket {
  /** The family of the peer's address; `undefined` if there is none. */
  readonly remoteFamily?: string | undefined
  /** Closes the socket; bytes that wait may still leave. */
  destroy(error?: Error): this
  /** Closes the socket with a reset. */
  resetAndDestroy(): this
}

/**
 * Makes a socket, whenever it is closed, drop the bytes that it and the kernel still buffer: they never leave later.
 * Without this a frame that the hub has counted as lost could arrive.
 */
export function resetAtEnd(socket: ResettableSocket): void {
  const destroy = socket.destroy
  socket.destroy = (error) => {
    socket.destroy = destroy
    // A Unix socket, and one that still connects, have no peer's address and cannot be reset.
    return error || socket.remoteFamily === undefined ? socket.destroy(error) : socket.resetAndDestroy()
  }
}
