// Every connection of a server, from before its handshake until after its upgrade: more than Node's own lists know.
import type { Server, Socket } from 'node:net'

export interface Connections {
  count(): number
  /** Ends those on which nothing was asked yet, not even the first byte: to Node they are as busy as those in the middle of a request. */
  endSilent(): void
  /** Ends all, whatever they do. */
  cut(): void
}

export function watchConnections(server: Server): Connections {
  const open = new Set<Socket>()
  const secured = new Set<Socket>()
  server.on('connection', (socket: Socket) => hold(open, socket))
  // Its bytes are those inside: a handshake asks nothing.
  server.on('secureConnection', (socket: Socket) => hold(secured, socket))
  return {
    count: () => open.size,
    endSilent() {
      for (const socket of [...open, ...secured]) if (socket.bytesRead === 0) socket.destroy()
    },
    cut() {
      for (const socket of open) socket.destroy()
    },
  }
}

export function hold<Held extends Socket>(set: Set<Held>, socket: Held): void {
  set.add(socket)
  socket.once('close', () => set.delete(socket))
}
