// Ways in which the workflows can be wrong, and who says so.

/** @type {{ name: string, by: string, file: string, change: [from: string, to: string] }[]} */
export const MUTANTS = [
  {
    name: 'an action by its tag',
    by: 'not pinned',
    file: 'workflows/release.yml',
    change: [
      'crates-io-auth-action@c6f97d42243bad5fab37ca0427f495c86d5b1a18 # v1.0.5',
      'crates-io-auth-action@v1',
    ],
  },
  {
    name: 'an action without its version',
    by: 'not pinned',
    file: 'workflows/release.yml',
    change: ['c6f97d42243bad5fab37ca0427f495c86d5b1a18 # v1.0.5', 'c6f97d42243bad5fab37ca0427f495c86d5b1a18'],
  },
  {
    name: 'two versions of an action',
    by: 'pinned otherwise',
    file: 'workflows/release.yml',
    change: [
      'actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1',
      'actions/download-artifact@70fc10c6e5e1ce46ad2ea6f2b72d43f7d47b13c3 # v8.0.0',
    ],
  },
  {
    name: 'a script of npm that is not there',
    by: 'no script "modell"',
    file: 'workflows/ci.yml',
    change: ['npm run model', 'npm run modell'],
  },
  {
    name: 'a build that is not there',
    by: 'no script "build:none"',
    file: 'workflows/platforms.yml',
    change: ['runner: macos-15-intel, build: build:native', 'runner: macos-15-intel, build: build:none'],
  },
  {
    name: 'a file that is not there',
    by: 'there is no scripts/cross/mains.sh',
    file: 'workflows/ci.yml',
    change: ['scripts/cross/main.sh', 'scripts/cross/mains.sh'],
  },
  {
    name: 'a script that an Alpine build lacks',
    by: 'no script "build:nativ"',
    file: 'build-alpine.sh',
    change: ['build:native', 'build:nativ'],
  },
  {
    name: 'rights to write',
    by: 'permissions are not',
    file: 'workflows/ci.yml',
    change: ['contents: read', 'contents: write'],
  },
  {
    name: 'a job without an end',
    by: 'miri: no timeout',
    file: 'workflows/ci.yml',
    change: [
      '  miri:\n    runs-on: ubuntu-latest\n    timeout-minutes: 30\n',
      '  miri:\n    runs-on: ubuntu-latest\n',
    ],
  },
  {
    name: 'an identity without approval',
    by: 'outside the environment',
    file: 'workflows/release.yml',
    change: [
      "environment: release\n    permissions:\n      contents: read\n      id-token: write # npm's",
      "permissions:\n      contents: read\n      id-token: write # npm's",
    ],
  },
  {
    name: 'a site published without its environment',
    by: 'outside the environment "github-pages"',
    file: 'workflows/docs.yml',
    change: ['      name: github-pages\n', '      name: pages\n'],
  },
  {
    name: 'a site published from a pull request',
    by: 'publishes the site from a pull request',
    file: 'workflows/docs.yml',
    change: ["  publish:\n    if: github.event_name == 'push'\n", '  publish:\n'],
  },
  {
    name: 'credentials left beside foreign code',
    by: 'keeps its credentials',
    file: 'workflows/release.yml',
    change: [
      'persist-credentials: false\n      - run: node scripts/release/steps.js notes',
      'persist-credentials: true\n      - run: node scripts/release/steps.js notes',
    ],
  },
  {
    name: 'a cache in a release',
    by: 'a cache in a release',
    file: 'workflows/release.yml',
    change: [
      'package-manager-cache: false\n      - run: npm ci --ignore-scripts',
      'cache: npm\n      - run: npm ci --ignore-scripts',
    ],
  },
  {
    name: 'a target that is not built',
    by: 'build: not the targets',
    file: 'workflows/platforms.yml',
    change: [
      '          - { target: x86_64-apple-darwin, runner: macos-15-intel, build: build:native }\n',
      '',
    ],
  },
  {
    name: 'a target that is not tested',
    by: 'test: not the targets',
    file: 'workflows/platforms.yml',
    change: ['          - aarch64-pc-windows-msvc\n', ''],
  },
  {
    name: 'a Node.js that is not tested',
    by: 'not the versions',
    file: 'workflows/platforms.yml',
    change: ['[20, 22, 24, 26]', '[20, 22, 24]'],
  },
  {
    name: 'a test on another machine',
    by: 'is built elsewhere',
    file: 'workflows/platforms.yml',
    change: [
      '24, 26]\n        include:\n          - { target: x86_64-unknown-linux-gnu, runner: ubuntu-latest }',
      '24, 26]\n        include:\n          - { target: x86_64-unknown-linux-gnu, runner: ubuntu-24.04-arm }',
    ],
  },
  {
    name: 'a test of what it builds itself',
    by: 'test: builds anew',
    file: 'workflows/platforms.yml',
    change: ['      PROCESS_RWLOCK_PREBUILT: 1\n      NODE', '      NODE'],
  },
  {
    name: 'a job that waits for none',
    by: 'actionlint',
    file: 'workflows/release.yml',
    change: ['needs: [npm, crate]', 'needs: [npm, crates]'],
  },
  {
    name: 'an expression that says nothing',
    by: 'actionlint',
    file: 'workflows/release.yml',
    change: ['github.token', 'github.tokens'],
  },
  {
    name: 'a machine that is not there',
    by: 'actionlint',
    file: 'workflows/ci.yml',
    change: ['  miri:\n    runs-on: ubuntu-latest', '  miri:\n    runs-on: ubuntu-lattest'],
  },
  {
    name: 'a name of anybody’s making in a script',
    by: 'zizmor: template-injection',
    file: 'workflows/ci.yml',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is GitHub's
    change: ['- run: npm run bench -- --check', '- run: npm run bench -- --check ${{ github.head_ref }}'],
  },
  {
    name: 'strangers’ changes with our rights',
    by: 'zizmor: dangerous-triggers',
    file: 'workflows/ci.yml',
    change: ['pull_request:', 'pull_request_target:'],
  },
]
