"""``hepcuts completion``: what a shell has to read to complete commands and options."""

import click
from click.shell_completion import get_completion_class

from .afterwards import say


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion of commands, options and files for SHELL.

    Put it where your shell looks, as in: eval "$(hepcuts completion bash)" in ~/.bashrc.
    """
    name = context.find_root().info_name or "hepcuts"
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    say(found(context.find_root().command, {}, name, f"_{name.upper()}_COMPLETE").source())
