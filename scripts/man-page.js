// The man page of the command line, made from the descriptions of its commands.

/** @typedef {import('../dist/cli/command.js').Command} Command */

/**
 * @param {readonly Command[]} commands
 * @param {(command: Command) => Record<string, import('../dist/cli/command.js').OptionDescription>} optionsOf
 * @param {string} version
 */
export function manPage(commands, optionsOf, version) {
  const parts = [
    `.TH PROCESS\\-RWLOCK 1 "" "process\\-rwlock ${version}" "User Commands"`,
    section('NAME'),
    'process\\-rwlock \\- a reader\\-writer lock that every process of this machine can share',
    section('SYNOPSIS'),
    commands.map(({ usage }) => `.B process\\-rwlock\n${text(usage)}`).join('\n.br\n'),
    section('DESCRIPTION'),
    text(
      'The locks are those of the package process-rwlock for Node.js. A lock has a name, or is a file. Shell scripts and programs that use the same lock exclude each other.',
    ),
  ]
  for (const command of commands) parts.push(...partsOf(command, optionsOf(command)))
  parts.push(
    section('SEE ALSO'),
    '.BR flock (1)',
    '.PP',
    text('https://process-rwlock.github.io/process-rwlock/cli'),
  )
  return `${parts.join('\n')}\n`
}

/**
 * @param {Command} command
 * @param {Record<string, import('../dist/cli/command.js').OptionDescription>} options
 */
function partsOf({ name, usage, description, positionals, rest, examples, exitCodes }, options) {
  const parts = [section(name.toUpperCase()), `.B process\\-rwlock\n${text(usage)}`]
  for (const paragraph of description.split('\n\n')) parts.push('.PP', text(paragraph))
  for (const { name, description } of [...positionals, ...(rest ? [rest] : [])]) {
    parts.push(`.TP\n.I ${text(name)}\n${text(description)}`)
  }
  for (const [name, { short, value, type, description }] of Object.entries(options)) {
    const names = `${short ? `\\fB\\-${short}\\fR, ` : ''}\\fB\\-\\-${escaped(name)}\\fR`
    const argument = type === 'boolean' ? '' : ` \\fI${escaped(value ?? 'VALUE')}\\fR`
    parts.push(`.TP\n${names}${argument}\n${text(description)}`)
  }
  for (const { command, text: meaning } of examples) {
    parts.push(`.PP\n${text(meaning)}:\n.PP\n.RS 4\n.nf\n${text(command)}\n.fi\n.RE`)
  }
  if (exitCodes) {
    parts.push('.SS "Exit codes"')
    for (const [code, meaning] of Object.entries(exitCodes)) {
      parts.push(`.TP\n.B ${text(code)}\n${text(meaning)}`)
    }
  }
  return parts
}

/** @param {string} title */
const section = (title) => `.SH "${escaped(title)}"`

/** A line that begins with a dot or a quote would be a request of roff. @param {string} line */
const text = (line) => escaped(line).replace(/^(?=[.'])/, '\\&')

/** @param {string} line */
const escaped = (line) => line.replaceAll('\\', '\\e').replaceAll('-', '\\-')
