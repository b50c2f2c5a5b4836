// The administration's door. What answers behind it is loaded with the first request: most gates are asked for months by nobody.
import type { Endpoint } from '../http/exchange.ts'
import { ADMIN_PATH } from '../protocol/resource.ts'
import type { ApiNeeds } from './api.ts'

export function adminDoor(needs: ApiNeeds): (path: string) => Endpoint | undefined {
  let opening: Promise<Endpoint> | undefined

  async function load(): Promise<Endpoint> {
    const { openApi } = await import('./api.ts')
    return openApi(needs)
  }

  const endpoint: Endpoint = async (exchange) => {
    opening ??= load().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    const answer = await opening
    return answer(exchange)
  }
  return (path) => (path === ADMIN_PATH || path.startsWith(`${ADMIN_PATH}/`) ? endpoint : undefined)
}
