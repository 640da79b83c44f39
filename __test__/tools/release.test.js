import test from 'ava'
import { obstacles, publishMissing, section } from '../../scripts/release/steps.js'

const CHANGELOG = `# Changelog

## [Unreleased]

## [1.2.0] - 2030-01-02

### Added

- This.

## [1.1.0] - 2029-01-02

- That.
`
const manifest = { version: '1.2.0', repository: { url: 'git+https://github.com/some/thing.git' } }
const env = { GITHUB_REF_NAME: 'v1.2.0', GITHUB_REPOSITORY: 'some/thing' }

test('the notes of a release are its section of the changelog', (t) => {
  t.is(section(CHANGELOG, '1.2.0'), '### Added\n\n- This.')
  t.is(section(CHANGELOG, '1.1.0'), '- That.')
  t.is(section(CHANGELOG, '1.1'), undefined)
})

test('a version is released by its own tag, from its own repository, with an entry in the changelog', (t) => {
  t.deepEqual(obstacles(manifest, CHANGELOG, env), [])
  t.regex(obstacles(manifest, CHANGELOG, { ...env, GITHUB_REF_NAME: 'v1.2.1' }).join(), /tag/)
  t.regex(obstacles(manifest, CHANGELOG, { ...env, GITHUB_REPOSITORY: 'a/fork' }).join(), /repository/)
  t.regex(
    obstacles({ ...manifest, version: '1.3.0' }, CHANGELOG, { ...env, GITHUB_REF_NAME: 'v1.3.0' }).join(),
    /CHANGELOG/,
  )
})

test('a release that was interrupted continues where it stopped, and the library is published last', async (t) => {
  const files = ['lock-1.2.0.tgz', 'lock-linux-x64-gnu-1.2.0.tgz', 'lock-win32-x64-msvc-1.2.0.tgz']
  const registry = new Set(['lock-win32-x64-msvc'])
  const published = []
  const publish = async (file) => {
    published.push(file)
    registry.add(file.replace('-1.2.0.tgz', ''))
  }
  const isPublished = async (name) => registry.has(name)
  await publishMissing(files, '1.2.0', isPublished, publish)
  await publishMissing(files, '1.2.0', isPublished, publish)
  t.deepEqual(published, ['lock-linux-x64-gnu-1.2.0.tgz', 'lock-1.2.0.tgz'])
})
