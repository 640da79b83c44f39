import pg from 'pg'
import { testUnless } from '../helpers/index.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { sharedServer } from '../helpers/postgres/shared.js'

testUnless(noPostgres)('test files share a server', async (t) => {
  const connectionString = await sharedServer()
  t.is(process.env.PROCESS_RWLOCK_TEST_POSTGRES, connectionString)
  const client = new pg.Client({ connectionString })
  await client.connect()
  t.is((await client.query('select 1 as one')).rows[0].one, 1)
  await client.end()
})
