"""``completion``: what a shell needs to complete verbs and options."""

from __future__ import annotations

from typing import Literal

from glacier_purge.cli.options import LogOptions, Logs
from glacier_purge.cli.output import print_text


def completion(shell: Literal["bash", "zsh", "fish"], *, logs: Logs = LogOptions()) -> int:
    """Print a script that has a shell complete verbs, options and files.

    Parameters
    ----------
    shell
        The shell it is for.

    Examples
    --------
    # In bash; to keep it, add the line to ~/.bashrc.
    source <(glacier-purge completion bash)
    # In zsh, into a folder of $fpath.
    glacier-purge completion zsh > ~/.zfunc/_glacier-purge
    glacier-purge completion fish > ~/.config/fish/completions/glacier-purge.fish
    """
    from glacier_purge.cli.app import build

    print_text(build().generate_completion(shell=shell).rstrip())
    return 0
