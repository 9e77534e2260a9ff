"""The help of a command of `personascan`: what it does and its flags, a line for each."""

import shutil
import textwrap

ASKED = ("--help", "-help", "--helpshort", "-h", "-?")
WIDEST = 100  # characters of a line
REQUIRED = "must have a value"  # in absl's message of a flag that has to be given
REPEATED = ";\n    repeat this option"  # absl adds this to the help of a flag of several values


def asks_for_help(argv: list[str]) -> bool:
    """Tells whether one of the arguments after the program's name asks for its help."""
    return any(argument in ASKED for argument in argv[1:])


def command_help(module: str, about: str, program: str) -> str:
    """Returns the help of a command, for a terminal.

    module: where its flags are defined. about: what it does. program: how it is called.
    """
    from absl import flags

    by_module = flags.FLAGS.flags_by_module_dict()
    own, shared = by_module.get(module, []), by_module.get("personascan.command", [])
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
    needed = [f" --{flag.name}=..." for flag in own if is_required(flag)]
    lines = [f"usage: {program}{''.join(needed)} [--flag=value ...]", "", about.strip(), ""]
    column = min(34, max(len(spelled(flag)) for flag in own) + 4)
    for flag in own:
        text = textwrap.wrap(flag.help.partition(REPEATED)[0], width - column)
        name = f"  {spelled(flag)}"
        if len(name) >= column:
            lines.append(name)
            name = ""
        lines.append(f"{name:{column}s}{text[0]}")
        lines += [" " * column + more for more in text[1:]]
    if shared:
        names = ", ".join(f"--{flag.name}" for flag in shared)
        text = f"Several machines: {names}; --helpfull explains them."
        lines += ["", *textwrap.wrap(text, width)]
    return "\n".join(lines)


def is_required(flag) -> bool:
    """Tells whether absl refuses to run without a value of the flag."""
    return any(REQUIRED in validator.message for validator in flag.validators)


def spelled(flag) -> str:
    """Returns a flag as it is written, with its default: --seed=0, --out=..., --[no]cache."""
    if flag.boolean:
        return f"--[no]{flag.name}" if flag.default else f"--{flag.name}"
    default = flag.default
    if isinstance(default, list):
        default = ",".join(map(str, default))
    return f"--{flag.name}={'...' if default in (None, '') else default}"
