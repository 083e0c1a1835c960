"""generate.py bash|zsh|fish HOY: prints the completion of a shell for the program HOY.

What it completes comes from the program's own tables, `HOY help --words`; how, from the template
beside this file. The build calls it.
"""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What an argument is, by its name in the tables; of others there is nothing to complete.
DIRECTORIES = ("DIR",)
FILES = ("FILE", "SOCKET")


@dataclass
class Option:
    name: str
    letter: str
    often: str
    argument: str
    words: str
    help: str

    @property
    def names(self):
        """As they are typed, the short one first."""
        return ([f"-{self.letter}"] if self.letter else []) + [f"--{self.name}"]

    @property
    def value(self):
        """How its value is completed: none, directory, file, other, or the words allowed."""
        if not self.argument:
            return "none"
        if self.words:
            return self.words
        kinds = {**dict.fromkeys(DIRECTORIES, "directory"), **dict.fromkeys(FILES, "file")}
        return kinds.get(self.argument, "other")


@dataclass
class Command:
    name: str
    words: str
    summary: str
    options: list = field(default_factory=list)

    @property
    def takes_id(self):
        return self.words.startswith("ID")

    @property
    def choices(self):
        """The only words allowed, if its first word is one of some."""
        first = self.words.split(" ")[0]
        return first.split("|") if "|" in first else []


def read_tables(hoy):
    """The program's own options as a command without name, then its commands."""
    lines = subprocess.run([hoy, "help", "--words"], check=True, capture_output=True, text=True)
    commands = {"": Command("", "", "")}
    for line in lines.stdout.splitlines():
        kind, name, *columns = line.split("\t")
        if kind == "command":
            commands[name] = Command(name, *columns)
        else:
            commands[name].options.append(Option(*columns))
    return commands


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def bash(commands):
    options, values = [], []
    for command in commands.values():
        names = " ".join(name for option in command.options for name in option.names)
        options.append(f"\t{quote(command.name)}) echo {quote(names)} ;;")
        for option in command.options:
            if option.value != "none":
                patterns = " | ".join(quote(f"{command.name} {name}") for name in option.names)
                values.append(f"\t{patterns}) echo {quote(option.value)} ;;")
    return {"OPTIONS": "\n".join(options), "VALUES": "\n".join(values),
            "COMMANDS": " ".join(filter(None, commands)),
            "CHOICES": "\n".join(f"\t{c.name}) choices='{' '.join(c.choices)}' ;;"
                                 for c in commands.values() if c.choices),
            "COMMANDS_WITH_ID": " | ".join(c.name for c in commands.values() if c.takes_id)}


def escape(text, special):
    return "".join(f"\\{byte}" if byte in special else byte for byte in text)


def zsh_option(option):
    """The specifications for _arguments, one for each of the option's names."""
    before = "*" if option.often == "many" else f"({' '.join(option.names)})"
    after = f"[{escape(option.help, '[]')}]"
    if option.value == "none":
        return " ".join(quote(before + name + after) for name in option.names)
    actions = {"directory": "_directories", "file": "_files", "other": " "}
    after += f":{escape(option.argument, ':')}:{actions.get(option.value, f'({option.value})')}"
    # -x+: its value is in the same word or the next; --name=: behind "=" or in the next.
    return " ".join(quote(before + name + ("=" if name.startswith("--") else "+") + after)
                    for name in option.names)


def zsh(commands):
    def specifications(command):
        return "".join(f"\t\t\t{zsh_option(option)} \\\n" for option in command.options)

    cases = []
    for command in list(commands.values())[1:]:
        words = {"exec": "'1:container:_hoy_ids' '*:::command:_normal'",
                 "mounts": "'1:word:(add remove)' '2:container:_hoy_ids' '3:file:_files'",
                 "kill": "'1:container:_hoy_ids' '2:signal:_signals -a'",
                 "help": "'1:command:_hoy_commands'"}
        last = "'1:container:_hoy_ids'" if command.takes_id else ""
        if command.choices:
            last = f"'1:word:({' '.join(command.choices)})'"
        last = words.get(command.name, last)
        cases.append(f"\t{command.name})\n\t\t_arguments -s -S \\\n{specifications(command)}"
                     f"\t\t\t{last}\n\t\t;;")
    summaries = "\n".join(f"\t\t{quote(c.name + ':' + c.summary)}"
                          for c in commands.values() if c.name)
    return {"GLOBAL": specifications(commands[""]), "CASES": "\n".join(cases),
            "COMMANDS": summaries}


def fish(commands):
    lines = []
    for command in commands.values():
        condition = "not __hoy_command"
        if command.name:
            condition = f"contains -- {command.name} (__hoy_command)"
            lines.append(f"complete -c hoy -n 'not __hoy_command' -a {command.name} "
                         f"-d {quote(command.summary)}")
        if command.takes_id:
            lines.append(f"complete -c hoy -n '__hoy_wants_word {command.name}' "
                         "-a '(__hoy_ids)' -d container")
        if command.choices:
            lines.append(f"complete -c hoy -n '__hoy_wants_word {command.name}' "
                         f"-a '{' '.join(command.choices)}'")
        if command.name == "help":
            lines.append("complete -c hoy -n '__hoy_wants_word help' "
                         f"-a '{' '.join(filter(None, commands))}'")
        for option in command.options:
            short = f" -s {option.letter}" if option.letter else ""
            value = {"none": "", "directory": " -x -a '(__fish_complete_directories)'",
                     "file": " -r -F", "other": " -x"}.get(option.value,
                                                           f" -x -a {quote(option.value)}")
            lines.append(f"complete -c hoy -n '{condition}'{short} -l {option.name}{value} "
                         f"-d {quote(option.help)}")
    awaiting = [name for option in commands[""].options if option.argument for name in option.names]
    return {"AWAITING": " ".join(awaiting), "COMPLETIONS": "\n".join(lines)}


def main():
    shell, hoy = sys.argv[1:]
    text = (HERE / f"hoy.{shell}").read_text()
    for name, value in {"bash": bash, "zsh": zsh, "fish": fish}[shell](read_tables(hoy)).items():
        text = text.replace(f"@{name}@", value)
    print(text, end="")


if __name__ == "__main__":
    main()
