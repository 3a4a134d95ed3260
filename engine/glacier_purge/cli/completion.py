"""``completion``: what a shell needs to complete verbs and options."""

from __future__ import annotations

from typing import Literal

from glacier_purge.cli.output import print_text


def completion(shell: Literal["bash", "zsh", "fish"]) -> int:
    """Print a script that has a shell complete verbs, options and files.

    Example: glacier-purge completion bash > ~/.local/share/bash-completion/completions/glacier-purge

    For zsh, keep it as _glacier-purge in a folder of $fpath; for fish, as glacier-purge.fish in
    ~/.config/fish/completions.

    Parameters
    ----------
    shell
        The shell it is for.
    """
    from glacier_purge.cli.app import build

    print_text(build().generate_completion(shell=shell).rstrip())
    return 0
