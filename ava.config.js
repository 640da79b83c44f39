export default {
  files: ['__test__/**/*.test.js'],
  // Tests measure delays of the event loop: files that run side by side would measure each other.
  concurrency: 1,
  // A process each: the tests kill, exit and count processes, and a crash must not take the suite along.
  workerThreads: false,
  timeout: '2m',
}
