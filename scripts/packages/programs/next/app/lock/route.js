import * as imported from 'process-rwlock'
import { waits } from '../../../waits.cjs'

export const dynamic = 'force-dynamic'

export async function GET() {
  return Response.json({ outcome: await waits(imported.RWLock), names: Object.keys(imported) })
}
