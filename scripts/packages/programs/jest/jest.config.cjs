module.exports = { watchman: false }
