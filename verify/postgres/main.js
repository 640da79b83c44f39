// npm run stress:postgres: processes use locks in PostgreSQL at random while they, the server and the connections fail.
import { TcpProxy } from '../../__test__/helpers/postgres/proxy.js'
import { PostgresServer } from '../../__test__/helpers/postgres/server.js'
import { readArguments, usageError } from '../../scripts/lib/arguments.js'
import { campaign } from './campaign.js'
import { profiles } from './profiles.js'

const names = Object.keys(profiles)
const HELP = `
npm run stress:postgres                        each profile of faults for 20 s
                  -- --seconds N               each for so long
                     --profile NAME            one: ${names.join('; ')}
                     --actors N                processes; 4 by default
`

const { values } = readArguments(HELP, {
  seconds: { type: 'string', default: '20' },
  profile: { type: 'string' },
  actors: { type: 'string', default: '4' },
})
if (values.profile !== undefined && !names.includes(values.profile))
  usageError(`There is no profile "${values.profile}".`, HELP)

const server = new PostgresServer()
let failed = 0
try {
  await server.create()
  const proxy = new TcpProxy(server.port)
  await proxy.listen()
  for (const profile of values.profile === undefined ? names : [values.profile]) {
    const { holds, faults, counts, problems } = await campaign({
      server,
      proxy,
      profile,
      seconds: Number(values.seconds),
      actors: Number(values.actors),
    })
    if (problems.length > 0) failed++
    console.log(
      `${problems.length > 0 ? 'FAILED' : 'ok    '} ${profile}: ${holds} holds, ${faults} faults`,
      counts,
    )
    for (const problem of problems.slice(0, 20)) console.log(`    ${problem}`)
    if (problems.length > 20) console.log(`    and ${problems.length - 20} more`)
  }
  await proxy.close()
} finally {
  await server.destroy()
}
process.exitCode = failed > 0 ? 1 : 0
