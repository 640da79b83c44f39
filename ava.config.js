import { offerServer } from './__test__/helpers/postgres/broker.js'

await offerServer()

export default {
  files: ['__test__/**/*.test.js'],
  // Most tests wait for processes. Those that measure an event loop allow for a neighbour, so two files side by side halve
  // the time; more would be more than two cores can serve.
  concurrency: 2,
  // A process each: the tests kill, exit and count processes, and a crash must not take the suite along.
  workerThreads: false,
  timeout: '2m',
}
