import type { Command } from '../command.js'

const command: Command = {
  name: 'completion',
  summary: 'print the completion for a shell',
  usage: 'completion SHELL',
  description:
    'Prints a script that lets the shell complete commands, options, files and the names of locks. With "names" it prints those names, one a line.',
  options: {},
  positionals: [
    { name: 'SHELL', choices: ['bash', 'zsh', 'fish', 'names'], description: 'bash, zsh, fish or names' },
  ],
  examples: [
    { command: 'eval "$(process-rwlock completion bash)"', text: 'In ~/.bashrc' },
    { command: 'eval "$(process-rwlock completion zsh)"', text: 'In ~/.zshrc, after compinit' },
    { command: 'process-rwlock completion fish | source', text: 'In ~/.config/fish/config.fish' },
  ],
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
