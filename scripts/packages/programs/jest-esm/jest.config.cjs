module.exports = { watchman: false, testMatch: ['**/*.test.mjs'] }
