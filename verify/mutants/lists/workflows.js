// Faults in the workflows that `npm run lint:workflows -- --mutants` must find; `by` is a part of what it reports.
import { text } from '../operators.js'

/** @type {(import('../mutate.js').Mutant & { by: string })[]} */
export const mutants = [
  {
    name: 'an action by its tag',
    by: 'not pinned',
    change: [
      text(
        'workflows/release.yml',
        'crates-io-auth-action@c6f97d42243bad5fab37ca0427f495c86d5b1a18 # v1.0.5',
        'crates-io-auth-action@v1',
      ),
    ],
  },
  {
    name: 'an action without its version',
    by: 'not pinned',
    change: [
      text(
        'workflows/release.yml',
        'c6f97d42243bad5fab37ca0427f495c86d5b1a18 # v1.0.5',
        'c6f97d42243bad5fab37ca0427f495c86d5b1a18',
      ),
    ],
  },
  {
    name: 'two versions of an action',
    by: 'pinned otherwise',
    change: [
      text(
        'workflows/release.yml',
        'actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1',
        'actions/download-artifact@70fc10c6e5e1ce46ad2ea6f2b72d43f7d47b13c3 # v8.0.0',
      ),
    ],
  },
  {
    name: 'a missing npm script',
    by: 'no script "modell"',
    change: [text('workflows/ci.yml', 'npm run model', 'npm run modell')],
  },
  {
    name: 'a missing build script',
    by: 'no script "build:none"',
    change: [
      text(
        'workflows/platforms.yml',
        'runner: macos-15-intel, build: build:native',
        'runner: macos-15-intel, build: build:none',
      ),
    ],
  },
  {
    name: 'a missing file',
    by: 'there is no scripts/cross/mains.sh',
    change: [text('workflows/ci.yml', 'scripts/cross/main.sh', 'scripts/cross/mains.sh')],
  },
  {
    name: 'a script that an Alpine build lacks',
    by: 'no script "build:nativ"',
    change: [text('build-alpine.sh', 'build:native', 'build:nativ')],
  },
  {
    name: 'write permission',
    by: 'permissions are not',
    change: [text('workflows/ci.yml', 'contents: read', 'contents: write')],
  },
  {
    name: 'a job without a timeout',
    by: 'miri: no timeout',
    change: [
      text(
        'workflows/ci.yml',
        '  miri:\n    runs-on: ubuntu-latest\n    timeout-minutes: 30\n',
        '  miri:\n    runs-on: ubuntu-latest\n',
      ),
    ],
  },
  {
    name: 'an identity without approval',
    by: 'outside the environment',
    change: [
      text(
        'workflows/release.yml',
        "environment: release\n    permissions:\n      contents: read\n      id-token: write # npm's",
        "permissions:\n      contents: read\n      id-token: write # npm's",
      ),
    ],
  },
  {
    name: 'a site published without its environment',
    by: 'outside the environment "github-pages"',
    change: [text('workflows/docs.yml', '      name: github-pages\n', '      name: pages\n')],
  },
  {
    name: 'a site published from a pull request',
    by: 'publishes the site from a pull request',
    change: [text('workflows/docs.yml', "  publish:\n    if: github.event_name == 'push'\n", '  publish:\n')],
  },
  {
    name: 'credentials kept while foreign code runs',
    by: 'keeps its credentials',
    change: [
      text(
        'workflows/release.yml',
        'persist-credentials: false\n      - run: node scripts/release/steps.js notes',
        'persist-credentials: true\n      - run: node scripts/release/steps.js notes',
      ),
    ],
  },
  {
    name: 'a cache in a release',
    by: 'a cache in a release',
    change: [
      text(
        'workflows/release.yml',
        'package-manager-cache: false\n      - run: npm ci --ignore-scripts',
        'cache: npm\n      - run: npm ci --ignore-scripts',
      ),
    ],
  },
  {
    name: 'a target that is not built',
    by: 'build: not the targets',
    change: [
      text(
        'workflows/platforms.yml',
        '          - { target: x86_64-apple-darwin, runner: macos-15-intel, build: build:native }\n',
        '',
      ),
    ],
  },
  {
    name: 'a target that is not tested',
    by: 'test: not the targets',
    change: [text('workflows/platforms.yml', '          - aarch64-pc-windows-msvc\n', '')],
  },
  {
    name: 'a Node.js that is not tested',
    by: 'not the versions',
    change: [text('workflows/platforms.yml', '[20, 22, 24, 26]', '[20, 22, 24]')],
  },
  {
    name: 'a test on another runner than the build',
    by: 'is built elsewhere',
    change: [
      text(
        'workflows/platforms.yml',
        '24, 26]\n        include:\n          - { target: x86_64-unknown-linux-gnu, runner: ubuntu-latest }',
        '24, 26]\n        include:\n          - { target: x86_64-unknown-linux-gnu, runner: ubuntu-24.04-arm }',
      ),
    ],
  },
  {
    name: 'a test job that builds again',
    by: 'test: builds anew',
    change: [text('workflows/platforms.yml', '      PROCESS_RWLOCK_PREBUILT: 1\n      NODE', '      NODE')],
  },
  {
    name: 'a job that needs a missing job',
    by: 'actionlint',
    change: [text('workflows/release.yml', 'needs: [npm, crate]', 'needs: [npm, crates]')],
  },
  {
    name: 'an expression with an unknown name',
    by: 'actionlint',
    change: [text('workflows/release.yml', 'github.token', 'github.tokens')],
  },
  {
    name: 'an unknown runner',
    by: 'actionlint',
    change: [
      text('workflows/ci.yml', '  miri:\n    runs-on: ubuntu-latest', '  miri:\n    runs-on: ubuntu-lattest'),
    ],
  },
  {
    name: 'a branch name in a script',
    by: 'zizmor: template-injection',
    change: [
      text(
        'workflows/ci.yml',
        '- run: npm run bench -- --check',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is GitHub's
        '- run: npm run bench -- --check ${{ github.head_ref }}',
      ),
    ],
  },
  {
    name: 'foreign changes with the rights of the repository',
    by: 'zizmor: dangerous-triggers',
    change: [text('workflows/ci.yml', 'pull_request:', 'pull_request_target:')],
  },
]
