// A TLS edge as every client of this process sees it: requests to the public https origin go to the gateway's plain-http port.
import { Agent, type Dispatcher, getGlobalDispatcher, setGlobalDispatcher } from 'undici'

/** Answers how to take it away. Node's own fetch asks the same global dispatcher. */
export function putEdge(publicUrl: string, port: number): () => Promise<void> {
  const before: Dispatcher = getGlobalDispatcher()
  const agent = new Agent()
  const edge = agent.compose((dispatch) => (options, handler) => {
    const origin = String(options.origin) === publicUrl ? `http://127.0.0.1:${port}` : options.origin
    return dispatch({ ...options, ...(origin !== undefined && { origin }) }, handler)
  })
  setGlobalDispatcher(edge)
  return async () => {
    setGlobalDispatcher(before)
    await agent.close()
  }
}
