export default {
  test: {
    projects: [
      { test: { name: 'external', include: ['lock.test.js'] } },
      { test: { name: 'in a context', include: ['lock.test.js'], pool: 'vmThreads' } },
      {
        test: {
          name: 'inlined',
          include: ['inlined.test.js'],
          server: { deps: { inline: ['process-rwlock'] } },
        },
      },
    ],
  },
}
